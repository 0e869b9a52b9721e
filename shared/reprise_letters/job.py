"""What a job at a dead-letter queue is: which letters, by whom and why, and what became of each: pure rules.

A job is planned before anything is touched, and names its letters; so a second run of it, after whatever
ended the first one, does what is missing and nothing else.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from reprise_letters.redrive import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from reprise_letters.letter import Letter

CANARY_ABOVE: Final = 100
"""Letters up to which a job has no canary, unless it is asked for."""
CANARY: Final = 10
LEDGER: Final = "ledger"
FINAL: Final = frozenset(
    {
        Action.REDRIVEN,
        Action.ENDED,
        Action.LINGERS,
        Action.OPENED_SINCE,
        Action.TAKEN_IN,
        Action.DISCARDED,
        Action.CANCELLED,
    }
)
"""After which a job does nothing more with a letter."""


class LetterQueue(StrEnum):
    """The two dead-letter queues."""

    CALLS = "calls"
    CAPTURE = "capture"


class LetterVerb(StrEnum):
    """What a job does with letters."""

    REDRIVE = "redrive"
    DISCARD = "discard"
    REPLAY = "replay"
    """Captured calls of a window of time, from the capture objects."""
    CANCEL = "cancel"
    """Of calls that wait, which have no letters: `reprise_cli.calls.cancel`."""


class LetterJobState(StrEnum):
    """How a run of a job ended."""

    OPEN = "open"
    """It runs, or was killed."""
    DONE = "done"
    INTERRUPTED = "interrupted"
    CANARY_FAILED = "canary_failed"
    """Of the canary some were given up again: the rest was not touched."""
    CANARY_OPEN = "canary_open"
    """Not all of the canary had ended in time: the rest was not touched."""
    PLANNED = "planned"
    """Its letters are known, and nobody has agreed yet."""
    CANCELLED = "cancelled"
    FAILED = "failed"
    """It can do nothing until somebody mends what is said beside it."""


class JobStoppedError(Exception):
    """A run is to stop here."""

    def __init__(self, state: LetterJobState, why: str = "") -> None:
        """Keep how the job stands then, and what stopped it."""
        super().__init__(why)
        self.state = state
        self.why = why


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that a job means, without what is in it."""

    id: str
    """Of the call; of what is no call, the message's."""
    message_id: str
    target: str = ""
    reason: str = ""
    error: str = ""
    """What is alike in the errors of a group."""
    at: str = ""
    """When it was given up."""


class LetterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters a job of the stack means: those that meet every condition that is set."""

    reason: str | None = None
    target: str | None = None
    error: str | None = None
    """Words, or `/a regular expression/`."""
    older_than_s: float | None = None
    """Before the job began; so the next."""
    newer_than_s: float | None = None
    max_count: int | None = None
    """The oldest."""


class LetterJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it was begun; written once."""

    version: int = 1
    id: str
    """Begins with the instant, so that ids sort as jobs began."""
    verb: LetterVerb
    queue: str
    """`calls` or `capture`; `ledger` for calls that have no letters."""
    by: str
    """ARN of whoever began it, as STS tells it."""
    why: str = ""
    started_at: str
    filters: dict[str, str] = {}
    """As they were typed."""
    count: int = 0
    """Letters; of a job of the stack its segments say how many."""
    selection: LetterFilter | None = None
    """Set if the stack runs it, and looks for its letters by this."""
    canary: int | None = 0
    """How many go first; 0 if there is no canary, None if `CANARY_ABOVE` decides once letters are known."""
    canary_wait_s: float = 300.0
    rate_per_s: float | None = None
    payload_sha256: str | None = None
    """Of the payload that replaces the call's, if one does."""


class LetterOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one letter."""

    id: str
    message_id: str
    action: Action
    why: str = ""
    at: str


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of what became of a job's letters, and how it stood then."""

    at: str
    by: str
    """Who ran it: whoever goes on with a job may be somebody else."""
    state: LetterJobState
    why: str = ""
    """What stopped it."""
    counts: dict[str, int]
    """Of all letters so far, by action."""
    meant: int = 0
    """Letters of the whole job, once they are known."""
    outcomes: tuple[LetterOutcome, ...] = ()


def job_id(now: datetime, chance: bytes) -> str:
    """Return an id that sorts by time."""
    return f"{now:%Y%m%dT%H%M%SZ}-{chance.hex()}"


_NUMBER: Final = re.compile(
    r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,}|\d+", re.IGNORECASE
)
_DENIED: Final = re.compile(r"\bUser: \S+ is not authorized to perform: ")
"""How IAM's refusals begin: what is denied comes after an ARN that fills the line."""
_MAX_ERROR_CHARS: Final = 120


def signature(text: str) -> str:
    """Return what is alike in errors of one cause: numbers and long hexadecimal words become `#`."""
    line = " ".join(text.split())
    # What names a single call stands anywhere: cut after, or two cuts of one cause would differ.
    short = _NUMBER.sub("#", _DENIED.sub("may not ", line))
    return short if len(short) <= _MAX_ERROR_CHARS else f"{short[:_MAX_ERROR_CHARS]}…"


def planned(letter: Letter) -> Planned:
    """Return a letter as a job remembers it."""
    return Planned(
        id=letter.id,
        message_id=letter.message_id,
        target=letter.target,
        reason=letter.reason,
        error=signature(letter.error or letter.message),
        at=letter.at.isoformat(),
    )


def first(letters: Iterable[Planned], count: int | None) -> list[Planned]:
    """Return the oldest, at most so many of them; of all, in order of age."""
    return sorted(letters, key=lambda letter: letter.at)[:count]


def groups(letters: Iterable[Planned]) -> list[tuple[tuple[str, str, str], int]]:
    """Return how many letters there are of each target, reason and error; the most first."""
    found = Counter((letter.target, letter.reason, letter.error) for letter in letters)
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def canaries(letters: Sequence[Planned], count: int) -> list[Planned]:
    """Return who goes first: of every group some, the groups in turn, the oldest of each.

    Two letters of one call go together, and count as one.
    """
    by_group: defaultdict[tuple[str, str, str], list[Planned]] = defaultdict(list)
    for letter in letters:
        by_group[letter.target, letter.reason, letter.error].append(letter)
    turns = sorted(by_group.values(), key=len, reverse=True)
    ids: dict[str, None] = {}
    depth = 0
    while len(ids) < count and depth < max(map(len, turns), default=0):
        for group in turns:
            if depth < len(group) and len(ids) < count:
                ids[group[depth].id] = None
        depth += 1
    return [letter for letter in letters if letter.id in ids]


def canary_size(asked: int | None, count: int) -> int:
    """Return how many of so many letters go first."""
    if asked is None:
        asked = CANARY if count > CANARY_ABOVE else 0
    # One that is everybody warns of nothing.
    return asked if asked < count else 0


def left_of(letters: Sequence[Planned], outcomes: Iterable[LetterOutcome]) -> list[Planned]:
    """Return the letters that a job still has to do with."""
    done = {outcome.message_id for outcome in outcomes if outcome.action in FINAL}
    return [letter for letter in letters if letter.message_id not in done]


def last_outcomes(outcomes: Iterable[LetterOutcome]) -> dict[str, LetterOutcome]:
    """Return by message what became of each letter last: what failed may have been done later."""
    return {outcome.message_id: outcome for outcome in outcomes}
