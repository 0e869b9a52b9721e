"""The promise of DESIGN.md, section 1, as predicates on steps and on ends; each begins with its number there.

What a state does not say by itself is remembered beside it: of each call how often it has succeeded, how
often beyond the first time it may, and how often it has since it was opened last; and whether a gate was
told twice.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from doubles import InMemoryGateItems
from exploration.store import process_of
from reprise import ledger
from reprise.aws.gate_table import _from_item
from reprise.gate.fallback import LocalGate
from reprise.gate.session import GateSession
from reprise.ledger import FIRST, TERMINAL, TRANSITIONS
from reprise.retry.decision import Reason

if TYPE_CHECKING:
    from exploration.effects import Process
    from exploration.state import State
    from exploration.store import Images, Table
    from reprise.gate.state import GateState

FOUND: Final = "1 every captured call can be found, and ends in one terminal state"
LETTER: Final = "1 what was given up has a dead letter, unless an operator cancelled it"
EARLY: Final = "1 a dead letter is sent only of what the ledger says was given up"
TABLE: Final = "1 a row changes by the table of states alone"
TWICE: Final = (
    "2 one successful execution a call, unless who knew that it may have run let it run again"
)
AFTER: Final = "2 nothing is invoked after its success"
HELD: Final = "2 a replayer in its time invokes only what it holds the lease of"
CLAIMED: Final = "2 a live call with a captured one's key runs by its claim"
GIVEN_UP: Final = "2 what ran well is not given up, unless as unknown"
PERMITS: Final = "3 a gate's permits are never fewer than none, nor granted beyond its window"
LEAKED: Final = "3 no permit is lost for ever: a day later the gate lets a call through"
FAKE: Final = "4 nothing is called succeeded that never ran well"
STUCK: Final = "live: from every state the calls come to their ends without another fault"
INVARIANTS: Final = (
    *(FOUND, LETTER, EARLY, TABLE, TWICE, AFTER, HELD, CLAIMED, GIVEN_UP, PERMITS, LEAKED, FAKE),
    STUCK,
)
STEPS: Final = frozenset((before, after) for (before, _), after in TRANSITIONS.items())
OK, MAY, LIFE, EACH = 0, 1, 2, 3


class View(NamedTuple):
    """What of a row the promise asks for."""

    state: str
    owner: str
    reason: str
    was_given_up: bool
    has_letter: bool


class Promise:
    """Looks at every step."""

    def __init__(self, table: Table, ids: tuple[str, ...], *, is_idempotent: bool = False) -> None:
        self._table = table
        self._ids = ids
        self._is_idempotent = is_idempotent
        self._views: dict[int, View | None] = {0: None}
        self._gates: dict[int, GateState] = {}
        self.first = (0,) * (EACH * len(ids) + 1)

    def view(self, image: int) -> View | None:
        """Return what an image of a row says; None if there is no row."""
        if image not in self._views:
            item = self._table.items.values[image] or {}
            text = {name: value.get("S", "") for name, value in item.items()}
            owner = process_of(text["lease_owner"]) if "lease_owner" in text else ""
            self._views[image] = View(
                text["state"],
                owner,
                text.get("reason", ""),
                "ends" in text,
                bool(item.get("letter_sent", {}).get("BOOL")),
            )
        return self._views[image]

    def gate(self, image: int) -> GateState:
        """Return what an image of a gate says."""
        if image not in self._gates:
            self._gates[image] = _from_item(self._table.items.values[image] or {})
        return self._gates[image]

    # --- steps ------------------------------------------------------------------------------------

    def asked(self, before: State, process: Process, how: str) -> tuple[tuple[int, ...], str]:
        """Return what is to be remembered after a step past the table, and what it breaks, if anything."""
        kind = process.request.kind
        if kind == "invoke":
            return self._invoked(before, process, how)
        if kind == "send" and process.request.name == "letters" and how != "refused":
            for call in _calls_of(process.request.body):
                view = self.view(before.images[self._ids.index(call)])
                if view is None or (
                    view.state != ledger.State.DEAD_LETTERED and not view.was_given_up
                ):
                    return before.seen, EARLY
        return before.seen, ""

    def _invoked(self, before: State, process: Process, how: str) -> tuple[tuple[int, ...], str]:
        call = _call_of(process.request.body)
        at = EACH * call
        seen, view = list(before.seen), self.view(before.images[call])
        broken = self._may_run(view, before, process, seen[at + MAY])
        if how in {"", "lost answer"}:
            seen[at + OK] += 1
            seen[at + LIFE] += 1
            if seen[at + OK] > 1 + seen[at + MAY] and not self._is_idempotent:
                broken = broken or TWICE
        return tuple(seen), broken

    def _may_run(self, view: View | None, before: State, process: Process, may: int) -> str:
        start = process.start
        # Who outlives its time at an idempotent target may: its second run is harmless, as its policy says.
        is_harmless = may or (self._is_idempotent and start.tick != before.tick)
        if view is not None and view.state == ledger.State.SUCCEEDED and not is_harmless:
            return AFTER
        is_held = (
            view is not None and view.state == ledger.State.LEASED and view.owner == start.name
        )
        if is_held or start.tick != before.tick:
            return ""
        if start.role == "caller":
            return "" if may else CLAIMED
        return HELD

    def written(
        self, before: State, images: Images, process: Process, how: str
    ) -> tuple[tuple[int, ...], str]:
        """Return the same after a step at the table."""
        seen, broken = before.seen, ""
        if process.start.role == "caller" and process.request.name in {"get_item", "put_item"}:
            seen = self._let_run(before, images, process, how)
        if images == before.images:
            return seen, ""
        seen_now = list(seen)
        for call in range(len(self._ids)):
            if before.images[call] != images[call]:
                broken = broken or self._changed(before.images[call], images[call], call, seen_now)
        if before.images[-1] != images[-1]:
            seen_now[-1] |= how == "repeated"
            was, gate = self.gate(before.images[-1]), self.gate(images[-1])
            granted = gate.in_flight > was.in_flight
            if not seen_now[-1] and (
                gate.in_flight < 0 or (granted and gate.in_flight > max(1, int(gate.window)))
            ):
                broken = broken or PERMITS
        return tuple(seen_now), broken

    def _let_run(
        self, before: State, images: Images, process: Process, how: str
    ) -> tuple[int, ...]:
        """Let a call run once more that its caller asks for after it was given up, or unprotected.

        Unprotected, and logged as that, is a live call whose gate cannot be asked for captured ones.
        """
        call, name = int(process.start.given[0]), process.request.name
        view = self.view(before.images[call])
        is_over = (
            name == "put_item" and view is not None and view.state == ledger.State.DEAD_LETTERED
        )
        is_unprotected = name == "get_item" and how == "refused"
        if not (is_over and images == before.images) and not is_unprotected:
            return before.seen
        seen = list(before.seen)
        seen[EACH * call + MAY] += 1
        return tuple(seen)

    def _changed(self, before: int, after: int, call: int, seen: list[int]) -> str:
        was, now = self.view(before), self.view(after)
        at = EACH * call
        if was is None or now is None:
            is_legal = (was is None and now is not None and now.state in FIRST) or (
                now is None and was is not None and was.state == ledger.State.LEASED
            )
            return "" if is_legal else TABLE
        if was.state != now.state and (was.state, now.state) not in STEPS:
            return TABLE
        if was.state == ledger.State.DEAD_LETTERED and now.state == ledger.State.CAPTURED:
            seen[at + LIFE] = 0
            seen[at + MAY] += was.reason == Reason.UNKNOWN
        if now.state == ledger.State.SUCCEEDED and not seen[at + OK]:
            return FAKE
        is_known = seen[at + LIFE] and not seen[at + MAY] and not self._is_idempotent
        if (
            is_known
            and now.state == ledger.State.DEAD_LETTERED != was.state
            and now.reason not in {Reason.UNKNOWN, Reason.CANCELLED}
        ):
            return GIVEN_UP
        return ""

    # --- ends -------------------------------------------------------------------------------------

    def at_end(self, state: State, letters: frozenset[str], now_ms: int) -> str:
        """Return what is broken where nothing is left to do."""
        for call, call_id in enumerate(self._ids):
            view = self.view(state.images[call])
            if view is None or view.state not in TERMINAL:
                return FOUND
            is_given_up = (
                view.state == ledger.State.DEAD_LETTERED and view.reason != Reason.CANCELLED
            )
            # What an operator took out of the queue he has.
            if is_given_up and call_id not in letters:
                return LETTER
        return (
            "" if self._lets_through(self.gate(state.images[-1]), now_ms + 86_400_000) else LEAKED
        )

    @staticmethod
    def _lets_through(gate: GateState, now_ms: int) -> bool:
        """Tell whether a batch of one call gets a permit; it may only hear first that a hold is over."""
        visit = GateSession(
            gates=InMemoryGateItems(images={"orders": gate}),
            memory=LocalGate(),
            function="orders",
            owner="later",
            now_ms=lambda: now_ms,
            draw=lambda: 0.5,
            lease_ms=60_000,
        )
        return bool(visit.enter(1).permits)


@lru_cache(maxsize=4096)
def _call_of(body: str) -> int:
    """Return the number of the call that a payload is of."""
    return int(json.loads(json.loads(body))["order"])


@lru_cache(maxsize=4096)
def _calls_of(body: str) -> tuple[str, ...]:
    """Return the ids of the calls that letters are of."""
    return tuple(json.loads(letter)["reprise"]["id"] for letter, _ in json.loads(body))
