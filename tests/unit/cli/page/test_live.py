from __future__ import annotations

from dataclasses import dataclass, field, replace

from reprise.gate.state import HeldFor
from reprise.monitor.counters import BacklogCounters
from reprise_cli.gate_view import Gate
from reprise_cli.page.live import LiveTargets, way_on
from reprise_cli.policy.pauses import Pause, PolicyState
from reprise_cli.top.board import Look, lines, what_is_wrong
from strategies import NOW

EMPTY = Look(at_s=0.0, books={}, gates={}, oldest_s={})


@dataclass
class Looks:
    """Looks that were prepared, and the time."""

    given: list[Look]
    at_s: float = 0.0
    taken: list[Look] = field(default_factory=list)

    def look(self) -> Look:
        self.taken.append(self.given[min(len(self.taken), len(self.given) - 1)])
        return self.taken[-1]


def live(looks: Looks) -> LiveTargets:
    return LiveTargets(
        look=looks.look, refresh_s=3, monotonic=lambda: looks.at_s, clock=lambda: NOW
    )


def test_the_page_has_the_numbers_of_top() -> None:
    books = {"orders": BacklogCounters(known=10, ended=4)}
    later = {"orders": BacklogCounters(known=12, ended=8)}
    first, second = replace(EMPTY, books=books), replace(EMPTY, at_s=2.0, books=later)
    looks = Looks([first, second])
    page = live(looks)
    assert page.top({})["targets"] == [line.document() for line in lines(first, None)]
    looks.at_s = 2.0
    assert page.top({})["targets"] == [line.document() for line in lines(second, first)]


def test_many_readers_share_a_look() -> None:
    looks = Looks([EMPTY])
    page = live(looks)
    assert page.top({}) is page.top({})
    looks.at_s = 1.9
    page.top({})
    assert len(looks.taken) == 1
    looks.at_s = 2.0
    page.top({})
    assert len(looks.taken) == 2


def test_each_thing_that_is_wrong_leads_on() -> None:
    now = replace(
        EMPTY,
        gates={
            "orders": Gate(mode="holding", held_s=90.0, held_for=HeldFor.FAULT),
            "dead letter": Gate(mode="holding", held_s=5.0),
        },
        dead_letters=3,
        policy=PolicyState(
            problem="targets.orders.enbaled: no field", pauses={"mail": Pause(why="drill")}
        ),
    )
    told = live(Looks([now])).top({})["wrong"]
    assert [each["text"] for each in told] == what_is_wrong(lines(now, None), now)
    assert sorted(each["href"] for each in told) == [
        *["/letters", "/policy", "/policy"],
        *["/runbooks/holding", "/runbooks/holding"],
    ]


def test_a_pause_of_a_target_of_any_name_leads_to_the_policy() -> None:
    assert way_on("orders is paused: 3 dead letters", ["orders"]) == "/policy"
    assert way_on("1 dead letter: `reprise dlq list`", []) == "/letters"
