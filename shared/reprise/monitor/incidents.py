"""Turn states of alarms into incidents: one message when something needs a person, one when it does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from reprise.events import Incident, IncidentClosed, IncidentOpened
from reprise.instant import format_instant, from_ms
from reprise.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reprise.monitor.counters import BacklogCounters
    from reprise.monitor.snapshot import MonitorState

DEAD_LETTERS: Final = "dead-letters"
HOLDING: Final = "holding"
POLICY_INVALID: Final = "policy-invalid"
"""Told by the observer itself: no alarm of CloudWatch's could say which line is at fault."""
WAITING: Final = frozenset({"waiting", "replay-stuck"})
RUNBOOKS_OF: Final = {
    "capture-dead-letters": "capture-path",
    "capture-delivery-errors": "capture-path",
    "capture-delivery-throttled": "capture-path",
    "capture-delivery-late": "capture-path",
    "filters-missing": "capture-path",
    "lines-lost": "capture-path",
    "read-back-late": "capture-path",
    "replay-stuck": "waiting",
    "letter-jobs-failed": DEAD_LETTERS,
    "letter-jobs-stuck": DEAD_LETTERS,
    "ledger-throttled": "ledger",
    "observer-silent": "observer",
    "observer-errors": "observer",
    "observer-undelivered": "observer",
    "captured-not-unpacked": "capture-path",
    POLICY_INVALID: "policy",
}
"""Runbooks of alarms that have none of their own name."""
_HARMLESS: Final = str.maketrans('"`\\<>', "''/()")
_WHAT: Final = {
    DEAD_LETTERS: "calls were given up",
    HOLDING: "a gate holds",
    "waiting": "calls wait too long",
    "invoker-throttled": "calls are refused before they are captured",
    "jobs-not-run": "scheduled runs could not be made",
    "replies-not-delivered": "late results could not be delivered",
    "letter-jobs-failed": "a job at the dead-letter queues was given up",
    "letter-jobs-stuck": "a job at the dead-letter queues stands still",
    "replay-stuck": "calls wait, and nobody replays them",
    "lines-lost": "calls did not come by the log path, and were found",
    "read-back-late": "nobody looks for calls that the log path lost",
    POLICY_INVALID: "the policy document is not valid, and the last good one is used",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """The state of one alarm."""

    name: str
    """Without the stack's name."""
    state: str
    """`OK`, `ALARM` or `INSUFFICIENT_DATA`."""
    reason: str = ""
    """CloudWatch's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentContext:
    """What is known when incidents are looked for."""

    stack: str
    at_s: float
    """Seconds since the epoch."""
    counters: Mapping[str, BacklogCounters] = field(default_factory=dict)
    dead_letters: int = 0
    """Messages in the dead-letter queue."""
    held_s: Mapping[str, float] = field(default_factory=dict)
    """How long gates have held, by function."""
    dashboard: str = ""
    runbooks: str = ""
    """Where they begin."""


def incidents(
    memory: MonitorState, alarms: Sequence[Alarm], scene: IncidentContext
) -> tuple[MonitorState, list[Incident]]:
    """Return what is new, and the memory in which it is told.

    An alarm without enough data is neither: its incident stays as it was. One for letters that nobody has
    counted yet waits for the next look: a replayer counts at the end of its batch, after it has sent them.
    """
    told: list[Incident] = []
    open_, dead = dict(memory.open), memory.dead
    nameless = False
    for alarm in alarms:
        if alarm.state == "ALARM" and alarm.name not in open_:
            if alarm.name == DEAD_LETTERS and not memory.nameless and not _newly_dead(scene, dead):
                nameless = True
                continue
            open_[alarm.name] = scene.at_s
            told.append(_describe(IncidentOpened, alarm, scene, scene.at_s, dead))
        elif alarm.state == "OK" and alarm.name in open_:
            told.append(_describe(IncidentClosed, alarm, scene, open_.pop(alarm.name), dead))
    if DEAD_LETTERS not in open_ and not scene.dead_letters:
        # Not those of this look: SQS's number, and the alarm even more, may lag behind the counters.
        dead = memory.dead_seen
    seen = {label: dict(counter.dead) for label, counter in scene.counters.items() if counter.dead}
    after = msgspec.structs.replace(
        memory, open=open_, dead=dead, dead_seen=seen, nameless=nameless
    )
    return after, told


def _describe(
    kind: type[IncidentOpened | IncidentClosed],
    alarm: Alarm,
    scene: IncidentContext,
    since_s: float,
    dead_before: Mapping[str, Mapping[str, int]],
) -> Incident:
    raw_functions, raw_reason, count = _particulars(alarm, scene, dead_before)
    functions, reason = plain(raw_functions), plain(raw_reason)
    age_s = round(scene.at_s - since_s, 1)
    since = format_instant(from_ms(int(since_s * 1000)))
    if kind is IncidentClosed:
        summary = f"{scene.stack}: over after {_span(age_s)}: {_WHAT.get(alarm.name, alarm.name)}."
    else:
        who = f" Function: {functions}." if functions else ""
        many = f" Count: {count}." if count else ""
        summary = (
            f"{scene.stack}: {_WHAT.get(alarm.name, alarm.name)}.{who}{many} Reason: {reason}."
        )
    runbook = RUNBOOKS_OF.get(alarm.name, alarm.name)
    return kind(
        stack=scene.stack,
        incident=alarm.name,
        since=since,
        age_s=age_s,
        function=functions,
        reason=reason,
        count=count,
        summary=summary,
        dashboard=scene.dashboard,
        runbook=f"{scene.runbooks}/{runbook}.md",
    )


def plain(text: str) -> str:
    """Return text as one line that mails, Slack and JSON take for nothing else than text.

    EventBridge's input transformers put it between the quotes of a JSON template as it is. Slack takes `<`
    for the beginning of a link or of a mention, of a whole channel too, and backticks for code.

    Source: EventBridge user guide, "Input transformation"; Slack, "Formatting text for app surfaces".
    """
    return printable(" ".join(text.split())).translate(_HARMLESS)


def _particulars(
    alarm: Alarm, scene: IncidentContext, dead_before: Mapping[str, Mapping[str, int]]
) -> tuple[str, str, int]:
    """Return the functions concerned, the reason, and how many calls."""
    if alarm.name == DEAD_LETTERS:
        new = _newly_dead(scene, dead_before)
        totals = {label: sum(reasons.values()) for label, reasons in new.items()}
        parts = [
            f"{label} {count} {reason}"
            for label in _worst_first(totals)
            for reason, count in sorted(new[label].items())
        ]
        reason = ", ".join(parts) or alarm.reason
        return ", ".join(_worst_first(totals)), reason, scene.dead_letters
    if alarm.name == HOLDING and scene.held_s:
        names = {function.rpartition(":")[2]: held for function, held in scene.held_s.items()}
        parts = [f"{name} held for {_span(names[name])}" for name in _worst_first(names)]
        return ", ".join(_worst_first(names)), ", ".join(parts), _backlog(scene)
    if alarm.name in {HOLDING, *WAITING}:
        backlogs = {label: counter.backlog for label, counter in scene.counters.items()}
        return ", ".join(_worst_first(backlogs)), alarm.reason, _backlog(scene)
    return "", alarm.reason, 0


def _newly_dead(
    scene: IncidentContext, before: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """Return how many letters were counted since, by label and reason; no zeros."""
    new = {
        label: {
            reason: count - before.get(label, {}).get(reason, 0)
            for reason, count in counter.dead.items()
            if count > before.get(label, {}).get(reason, 0)
        }
        for label, counter in scene.counters.items()
    }
    return {label: reasons for label, reasons in new.items() if reasons}


def _backlog(scene: IncidentContext) -> int:
    return sum(counter.backlog for counter in scene.counters.values())


def _worst_first(numbers: Mapping[str, float]) -> list[str]:
    return sorted((name for name in numbers if numbers[name] > 0), key=lambda name: -numbers[name])


_FEW: Final = 2
"""Fewer hours are told in minutes, fewer minutes in seconds."""


def _span(seconds: float) -> str:
    """Return a time as people say it."""
    minutes, hours = seconds / 60, seconds / 3600
    if hours >= _FEW:
        return f"{hours:.1f} h"
    return f"{minutes:.0f} min" if minutes >= _FEW else f"{seconds:.0f} s"
