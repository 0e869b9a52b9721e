from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.chaos.quiet import EMPTY_LOOKS, LOOK_S, Quiet


@dataclass
class Queues:
    """Two queues whose depths are known second by second, and a clock that sleeping moves."""

    capture: list[int]
    replay: list[int]
    now_s: float = 0.0
    looks: int = field(default=0)

    def depth(self, depths: list[int]) -> int:
        at = int(self.now_s)
        return depths[at] if at < len(depths) else 0

    def count(self) -> int:
        self.looks += 1
        return self.depth(self.replay)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def quiet(self, limit_s: float = 60.0) -> Quiet:
        return Quiet(
            depths=(lambda: self.depth(self.capture), self.count),
            limit_s=limit_s,
            monotonic=lambda: self.now_s,
            sleep=self.sleep,
        )


def test_empty_queues_are_believed_after_three_looks() -> None:
    queues = Queues(capture=[], replay=[])
    assert queues.quiet().wait()
    assert (queues.looks, queues.now_s) == (EMPTY_LOOKS, EMPTY_LOOKS * LOOK_S)


def test_an_object_that_is_still_to_be_unpacked_is_waited_for() -> None:
    """Its calls may be copies: they get to the replay queue only then."""
    queues = Queues(capture=[1, 1, 0], replay=[0, 0, 2, 2])
    assert queues.quiet().wait()
    assert queues.now_s == 4 + EMPTY_LOOKS * LOOK_S


def test_a_message_that_one_look_missed_begins_the_count_anew() -> None:
    queues = Queues(capture=[], replay=[0, 0, 1])
    assert queues.quiet().wait()
    assert queues.now_s == 3 + EMPTY_LOOKS * LOOK_S


def test_queues_that_others_use_are_waited_for_no_longer_than_a_message_can_be_worked_on() -> None:
    queues = Queues(capture=[], replay=[7] * 1000)
    assert not queues.quiet(limit_s=30.0).wait()
    assert queues.now_s == 30.0


@given(
    st.lists(st.integers(0, 1), max_size=20),
    st.lists(st.integers(0, 1), max_size=20),
    st.integers(0, 40),
)
def test_it_ends_in_time_and_never_says_empty_of_what_was_not(
    capture: list[int], replay: list[int], limit_s: int
) -> None:
    queues = Queues(capture=capture, replay=replay)
    is_empty = queues.quiet(float(limit_s)).wait()
    assert queues.now_s <= limit_s + LOOK_S
    if is_empty:
        last = [int(queues.now_s) - back for back in range(1, EMPTY_LOOKS + 1)]
        assert not any(queue[at] for queue in (capture, replay) for at in last if at < len(queue))
