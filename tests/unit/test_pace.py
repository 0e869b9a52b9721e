from __future__ import annotations

from reprise.telemetry import GAP_S, FlushInterval


def test_it_is_time_at_once_and_then_once_a_second() -> None:
    times_s = iter([100.0, 100.1, 100.0 + GAP_S - 0.01, 100.0 + GAP_S, 100.0 + GAP_S + 0.1, 500.0])
    pace = FlushInterval(lambda: next(times_s))
    assert [pace.is_due() for _ in range(6)] == [True, False, False, True, False, True]
