"""The gate of last resort."""

from __future__ import annotations

import pytest

from reprise.gate.admit import most_at_once
from reprise.gate.fallback import MAXIMUM_S, LocalGate
from reprise.retry.policy import Policy
from strategies import NOW_MS, ORDERS


def test_a_failure_pauses_for_a_drawn_time_that_doubles_and_is_bounded() -> None:
    memory = LocalGate()
    waits_s = []
    for _ in range(8):
        assert memory.may_go("other", NOW_MS)
        memory.learn(ORDERS, has_room=False, now_ms=NOW_MS, draw=0.5)
        waits_s.append(memory.wait_s(ORDERS, NOW_MS))
        assert not memory.may_go(ORDERS, NOW_MS)
    assert waits_s == [2, 4, 8, 16, *[MAXIMUM_S / 2] * 4]
    assert memory.may_go(ORDERS, NOW_MS + 30_000)


def test_a_success_forgets_the_failures() -> None:
    memory = LocalGate()
    memory.learn(ORDERS, has_room=False, now_ms=NOW_MS, draw=0.9)
    memory.learn(ORDERS, has_room=True, now_ms=NOW_MS + 9000, draw=0.9)
    memory.learn(ORDERS, has_room=False, now_ms=NOW_MS + 9000, draw=0.5)
    assert memory.wait_s(ORDERS, NOW_MS + 9000) == 2


@pytest.mark.parametrize(
    ("limit", "policy", "most"),
    [
        (None, Policy(), None),
        (None, Policy(max_concurrency=7), 7),
        (0, Policy(), None),
        (10, Policy(), 9),
        (10, Policy(headroom=0.55), 4),
        (1, Policy(headroom=0.9), 1),
        (100, Policy(max_concurrency=7), 7),
        (5, Policy(max_concurrency=7, headroom=0.0), 5),
    ],
)
def test_replays_leave_headroom(limit: int | None, policy: Policy, most: int | None) -> None:
    """A limit of 0 is about to be raised, or nothing passes: it caps nothing, as long as it is believed."""
    assert most_at_once(limit, policy) == most


@pytest.mark.parametrize(
    ("limit", "policy", "most"),
    [
        (None, Policy(), 2),
        (100, Policy(), 2),
        (1, Policy(headroom=0.0), 1),
        (100, Policy(max_concurrency=7), 7),
        (5, Policy(max_concurrency=7, headroom=0.0), 5),
    ],
)
def test_a_target_whose_calls_share_cpus_has_two_replays_at_once_unless_its_policy_says_more(
    limit: int | None, policy: Policy, most: int
) -> None:
    assert most_at_once(limit, policy, shares_cpus=True) == most
