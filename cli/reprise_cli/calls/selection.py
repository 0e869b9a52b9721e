"""Which calls are meant: pure rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reprise.ledger import TERMINAL, State

if TYPE_CHECKING:
    from datetime import datetime

    from reprise.call_index import IndexEntry
    from reprise.ledger import Row

OPEN_STATES: Final = frozenset(State) - TERMINAL


class StateChoice(StrEnum):
    """States that can be asked for."""

    OPEN = "open"
    """Not ended: captured, leased or waiting."""
    ALL = "all"
    CAPTURED = "captured"
    LEASED = "leased"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    DEAD_LETTERED = "dead_lettered"

    @property
    def states(self) -> frozenset[State]:
        """Return the states of rows that this means."""
        match self:
            case StateChoice.OPEN:
                return OPEN_STATES
            case StateChoice.ALL:
                return frozenset(State)
            case _:
                return frozenset({State(self.value)})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCall:
    """A call, as the ledger knows it, and the index if it does."""

    row: Row
    entry: IndexEntry | None = None

    @property
    def error(self) -> str:
        """Return how it failed last: in a replay, or in its caller's own try."""
        if self.row.history:
            outcome = self.row.history[-1].outcome
            return ": ".join(part for part in (outcome.code, outcome.message) if part)
        if self.entry is None:
            return ""
        return ": ".join(part for part in (self.entry.code, self.entry.message) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSelection:
    """Calls that meet every condition that is set."""

    state: StateChoice = StateChoice.OPEN
    target: str | None = None
    """Bare name or ARN of the function."""
    reason: str | None = None
    """Why they were given up."""
    key: str | None = None
    """The caller's own key."""
    error: re.Pattern[str] | None = None
    """Is found in how they failed, in their caller's own try or since, or in why they were given up."""
    since: datetime | None = None
    until: datetime | None = None
    """Bounds of when they were captured."""

    def may_take(self, entry: IndexEntry) -> bool:
        """Tell whether what the index says of a call speaks for it."""
        is_key = self.key is None or key_of(entry.id) == self.key
        return is_key and self._is_target(entry.target)

    def takes(self, call: FoundCall) -> bool:
        """Tell whether a call is meant, but for when it was captured."""
        row = call.row
        return (
            row.state in self.state.states
            and self._is_target(row.target)
            and (self.key is None or key_of(row.id) == self.key)
            and (self.reason is None or row.reason == self.reason)
            and (self.error is None or any(self.error.search(text) for text in _errors(call)))
        )

    def _is_target(self, function: str) -> bool:
        return self.target is None or is_target(function, self.target)


def is_target(function: str, name: str) -> bool:
    """Tell whether a function's ARN is what somebody calls by a name or an ARN."""
    return function == name or function.rpartition(":")[2] == name


def _errors(call: FoundCall) -> list[str]:
    texts = [call.row.message or ""]
    texts += [
        f"{attempt.outcome.code or ''}: {attempt.outcome.message or ''}"
        for attempt in call.row.history
    ]
    if call.entry is not None:
        texts.append(f"{call.entry.code}: {call.entry.message}")
    return texts


_NAMED: Final = re.compile(
    r"(?P<function>[^:]+):(?P<key>.+?)(?:~[0-9a-f]{32})?(?:![0-9a-f]{16})?", re.DOTALL
)


def key_of(call_id: str) -> str | None:
    """Return the key that a caller gave, if an id is made of one."""
    match = _NAMED.fullmatch(call_id)
    return match["key"] if match else None
