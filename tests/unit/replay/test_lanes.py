from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, current_thread

import pytest

from reprise.replay.worker import Lanes


class _FailedError(Exception):
    pass


def test_threads_of_one_batch_serve_the_next() -> None:
    with ThreadPoolExecutor(4) as threads:
        with Lanes(threads) as first:
            before = first.submit(current_thread).result()
        with Lanes(threads) as second:
            assert second.submit(current_thread).result() is before


def test_a_batch_that_fails_ends_only_when_its_last_lane_has() -> None:
    may_end, ended = Event(), Event()

    def lane() -> None:
        may_end.wait()
        ended.set()

    def fail(lanes: Lanes) -> None:
        lanes.submit(lane)
        lanes.submit(may_end.set)
        raise _FailedError

    with ThreadPoolExecutor(4) as threads:
        lanes = Lanes(threads)
        with pytest.raises(_FailedError), lanes:
            fail(lanes)
        assert ended.is_set()
