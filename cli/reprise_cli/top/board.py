"""The rows of `reprise top`, from two looks at the books, and their table: pure rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.text import Text

from reprise.gate.state import HeldFor, Mode
from reprise.printable import printable
from reprise_cli.duration import format_duration
from reprise_cli.fitted import Column, Fitted
from reprise_cli.output import counted
from reprise_cli.policy.pauses import PolicyState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reprise.monitor.counters import BacklogCounters
    from reprise_cli.policy.pauses import Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """How a target's gate stands."""

    mode: str
    """flowing, probing or holding."""
    window: float | None = None
    """Replays that may run at once, where the gate knows."""
    held_s: float = 0.0
    """Age of the present hold."""
    held_for: str = ""
    """Why it holds, where the gate tells: one of `HeldFor`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgedNumber:
    """A number that somebody measured some time ago."""

    value: float
    ago_s: float
    """How long ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was there at one moment; everything by label."""

    at_s: float
    books: Mapping[str, BacklogCounters]
    gates: Mapping[str, Gate]
    oldest_s: Mapping[str, AgedNumber]
    """Age of the oldest waiting call, as last measured."""
    drain_s: Mapping[str, float] = field(default_factory=dict)
    """Time until the backlog is empty, by the observer's own reckoning: the rate of its last five minutes."""
    dead_letters: int | None = None
    """Dead letters of all targets that lie in their queue; None if it was not asked."""
    policy: PolicyState = field(default_factory=PolicyState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One target."""

    target: str
    gate: Gate | None
    """None if nothing is known of it."""
    backlog: int
    rate_per_s: float | None
    """Calls that ended a second since the look before; None at the first."""
    oldest: AgedNumber | None
    """None if nothing waits, or nothing measured it."""
    drain_s: float | None = None
    """Time until the backlog is empty, as the observer reckons; None if it cannot."""
    dead: int
    """Calls given up since the stack was made, whatever was redriven since."""
    pause: Pause | None = None
    """Why nothing of it is replayed, if an operator wants that."""

    @property
    def eta_s(self) -> float | None:
        """Return the time until the backlog is empty; None if that cannot be told."""
        if not self.backlog:
            return 0.0
        # What was reckoned is of the minutes before: nothing of it goes now.
        if self.pause is not None or (self.gate is not None and self.gate.mode == Mode.HOLDING):
            return None
        if self.drain_s is not None:
            return self.drain_s
        return self.backlog / self.rate_per_s if self.rate_per_s else None

    def document(self) -> dict[str, Any]:
        """Return the line as JSON values."""
        return {
            "target": self.target,
            "state": self.gate.mode if self.gate else None,
            "window": self.gate.window if self.gate else None,
            "held_s": self.gate.held_s if self.gate else None,
            "held_for": (self.gate.held_for or None) if self.gate else None,
            "backlog": self.backlog,
            "rate_per_s": self.rate_per_s,
            "oldest_s": self.oldest.value if self.oldest else None,
            "oldest_measured_ago_s": self.oldest.ago_s if self.oldest else None,
            "eta_s": self.eta_s,
            "dead_lettered": self.dead,
            "paused": self.pause.document() if self.pause else None,
        }


def lines(now: Look, before: Look | None) -> list[Line]:
    """Return a line for each target, the longest backlog first."""
    names = {*now.books, *now.gates}
    found = [_line(name, now, before) for name in names]
    return sorted(found, key=lambda line: (-line.backlog, line.target))


def _line(name: str, now: Look, before: Look | None) -> Line:
    book = now.books.get(name)
    backlog = book.backlog if book else 0
    return Line(
        target=name,
        gate=now.gates.get(name),
        backlog=backlog,
        rate_per_s=_rate(name, now, before),
        oldest=now.oldest_s.get(name) if backlog else None,
        drain_s=now.drain_s.get(name),
        dead=sum(book.dead.values()) if book else 0,
        pause=now.policy.pauses.get(name),
    )


def _rate(name: str, now: Look, before: Look | None) -> float | None:
    if before is None or now.at_s <= before.at_s:
        return None
    ended = [look.books[name].ended if name in look.books else 0 for look in (before, now)]
    return max(0, ended[1] - ended[0]) / (now.at_s - before.at_s)


_STYLES: Final = {"flowing": "green", "probing": "yellow", "holding": "red"}
_NOTES: Final = {
    "given up": "since the stack was made, whatever was redriven since; `reprise dlq list` has what is left"
}


_HELD_FOR: Final[dict[str, str]] = {
    HeldFor.THROTTLE: "its replays are throttled: its reserved concurrency, or the account's, is used up",
    HeldFor.FAULT: "calls fail one after the other; `reprise dlq list --target {target}` shows with what, "
    "and `reprise calls list --target {target}` for those that will be tried again",
    HeldFor.PAUSED: "its policy is not enabled",
}
"""Why a gate holds, and what to look at."""


def what_is_wrong(lines: Sequence[Line], now: Look) -> list[str]:
    """Return what a person should know now, a line each, whether or not an alarm has told of it yet."""
    told = []
    for line in lines:
        gate = line.gate
        if gate is None or not gate.held_s or line.pause is not None:
            continue
        why = _HELD_FOR.get(gate.held_for, "")
        told.append(
            f"{line.target} has held for {format_duration(gate.held_s)}"
            + (f": {why.format(target=line.target)}" if why else "")
        )
    if now.dead_letters:
        told.append(f"{counted(now.dead_letters, 'dead letter')}: `reprise dlq list`")
    return told + now.policy.lines()


def screen(lines: Sequence[Line], title: str, now: Look) -> Group:
    """Return the table, and below it what is wrong."""
    told = [Text(printable(line), "red") for line in what_is_wrong(lines, now)]
    return Group(picture(lines, title), *told)


def picture(lines: Sequence[Line], title: str) -> Fitted:
    """Return the targets as a table."""
    numbers = list(zip(*(_cells(line) for line in lines), strict=True)) or [()] * len(_NUMBERS)
    columns = (
        Column(name="target", cells=[line.target for line in lines], rank=0, least=20),
        Column(name="gate", cells=[_gate(line) for line in lines], rank=1, least=7),
        *(
            Column(name=name, cells=cells, rank=rank, is_number=True, note=_NOTES.get(name))
            for (name, rank), cells in zip(_NUMBERS, numbers, strict=True)
        ),
    )
    return Fitted(columns=columns, title=title)


_NUMBERS: Final = (
    ("window", 6),
    ("backlog", 2),
    ("ended/s", 5),
    ("oldest", 4),
    ("done in", 3),
    ("given up", 7),
)
"""Names of the numbers, and which goes first where not all fit: that of the highest."""


def _gate(line: Line) -> Text:
    if line.pause is not None:
        return Text("paused", "red")
    if line.gate is None:
        return Text("-")
    held = f" {format_duration(line.gate.held_s)}" if line.gate.held_s else ""
    return Text(f"{line.gate.mode}{held}", _STYLES.get(line.gate.mode, ""))


def _cells(line: Line) -> tuple[str, ...]:
    window = line.gate.window if line.gate is not None else None
    eta_s = line.eta_s if line.backlog else None
    return (
        "-" if window is None else short(window),
        short(line.backlog),
        "-" if line.rate_per_s is None else short(line.rate_per_s),
        "-" if line.oldest is None else _measured(line.oldest),
        "-" if eta_s is None else format_duration(eta_s),
        short(line.dead),
    )


_FRESH_S: Final = 90
"""Metrics come once a minute: what is younger is as new as it can be."""


def _measured(number: AgedNumber) -> str:
    text = format_duration(number.value)
    return text if number.ago_s < _FRESH_S else f"{text}, {format_duration(number.ago_s)} ago"


_SMALL: Final = 9.95
_UNITS: Final = ((9_950_000, 1e6, "M", 0), (999_500, 1e6, "M", 1), (99_999.5, 1e3, "k", 0))
"""From which number on which unit is used, with how many decimals."""


def short(number: float) -> str:
    """Return a number in at most six characters, as long as it is below a thousand million."""
    for least, unit, name, decimals in _UNITS:
        if number >= least:
            return f"{number / unit:,.{decimals}f}{name}"
    is_whole = number >= _SMALL or float(number).is_integer()
    return f"{number:,.0f}" if is_whole else f"{number:.1f}"
