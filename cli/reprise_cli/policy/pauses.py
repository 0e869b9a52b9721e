"""Which targets are paused, since when, by whom and why: told from the history, which every edit is in.

The document itself holds `enabled` alone, so that a stack of any version reads it. Who wrote a version, and
when, Systems Manager notes; the reason is that version's description.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from reprise.errors import PolicyError
from reprise.instant import parse_instant
from reprise.retry.policy import read_policy_document
from reprise_cli.duration import format_duration
from reprise_cli.exits import CommandError
from reprise_cli.policy.document import DEFAULT, problem_of, short_name
from reprise_cli.policy.parameter import PolicyParameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from reprise.retry.policy import PolicyBook
    from reprise_cli.app import App
    from reprise_cli.policy.parameter import Version

EVERYTHING: Final = "everything"
MAX_AGE_S: Final = 1_209_600
"""The longest that a policy lets a call wait: as long as a queue keeps a message."""
_NO_TARGET: Final = "*"
"""A name that no function has: its policy is the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Why nothing of a target is replayed."""

    since: str | None = None
    """None if that is not told: longer ago than the history goes, or it may not be read."""
    by: str | None = None
    why: str = ""

    def __str__(self) -> str:
        """Return it for people."""
        words = ["paused"]
        words += [f"since {self.since[:19]}Z"] if self.since else []
        words += [f"by {self.by}"] if self.by else []
        return " ".join(words) + (f": {self.why}" if self.why else "")

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """What the policy document does that nobody expects of it."""

    problem: str | None = None
    """What is wrong with it, the line or field included; None if it is valid."""
    refusal: str | None = None
    """Why nothing of it is known."""
    pauses: dict[str, Pause] = field(default_factory=dict)
    """By target, `default` included."""

    def lines(self) -> list[str]:
        """Return it for people, a line each; targets that are paused with the default are not repeated."""
        for_all = self.pauses.get(DEFAULT)
        told = [
            f"{name} is {pause}"
            for name, pause in self.pauses.items()
            if name == DEFAULT or pause != for_all
        ]
        wrong = [f"policy: {self.problem}; `reprise policy edit`"] if self.problem else []
        unread = [f"policy: {self.refusal}"] if self.refusal else []
        return told + wrong + unread


def describe(verb: str, target: str | None, reason: str) -> str:
    """Return the description of a version that pauses or resumes."""
    return f"{verb} {target or EVERYTHING}" + (f": {reason}" if reason else "")


def find_pauses(versions: Sequence[Version], names: Iterable[str]) -> dict[str, Pause]:
    """Return the pauses in force.

    Args:
        versions: Of the document, the oldest first. One that is not valid changes nothing.
        names: Targets to tell of, `default` included.
    """
    books = [(version, book) for version in versions if (book := _book(version)) is not None]
    found: dict[str, Pause] = {}
    for name in names:
        pause: Pause | None = None
        was_on = False
        for version, book in books:
            is_on = book.for_target(_NO_TARGET if name == DEFAULT else name).enabled
            if is_on:
                pause = None
            elif pause is None:
                # Where the history begins with a pause, who made it is forgotten.
                is_known = was_on or version.number == 1
                pause = _pause(version, name) if is_known else Pause()
            was_on = is_on
        if pause is not None:
            found[name] = pause
    return found


def refuse_to_expire(pauses: Mapping[str, Pause], book: PolicyBook, now: datetime) -> None:
    """Refuse to resume what was paused for longer than its calls may wait: they would be given up at once.

    Args:
        pauses: Those that are to end, by target; one whose beginning is not known is not judged.
        book: The policies in force.
        now: The present.

    Raises:
        CommandError: Naming the target, and what keeps its calls.
    """
    for name, pause in pauses.items():
        max_age_s = book.for_target(_NO_TARGET if name == DEFAULT else name).max_age_s
        if pause.since is None:
            continue
        paused_s = (now - parse_instant(pause.since)).total_seconds()
        if paused_s < max_age_s:
            continue
        # As long as they waited, and as long again as they were meant to.
        wanted_s = min(MAX_AGE_S, math.ceil((paused_s + max_age_s) / 3600) * 3600)
        keep = f"First `reprise policy set {name} max_age_s={wanted_s}`, then resume; or"
        raise CommandError(
            name,
            f"has been paused for {format_duration(paused_s)}, and calls older than its max_age_s, "
            f"{format_duration(max_age_s)}, would be given up at once",
            f"{keep if max_age_s < wanted_s else 'Only'} --yes, which gives them up",
        )


def _pause(version: Version, name: str) -> Pause:
    done, _, reason = version.why.partition(": ")
    # An edit by hand may keep the description of the version before it.
    is_its_own = done in {f"pause {name}", f"pause {EVERYTHING}", f"pause {DEFAULT}"}
    return Pause(since=version.at, by=version.by, why=reason if is_its_own else "")


def _book(version: Version) -> PolicyBook | None:
    try:
        return read_policy_document(version.text)
    except PolicyError:
        return None


class PolicyWatch:
    """Looks at the document again and again; its history is read when there is a new version."""

    def __init__(self, parameter: PolicyParameter, targets: Iterable[str]) -> None:
        """Watch a parameter.

        Args:
            parameter: The stack's.
            targets: What it may call, as ARNs.
        """
        self._parameter = parameter
        self._names = [DEFAULT, *(short_name(arn) for arn in targets)]
        self._known: list[Version] | None = None

    def look(self, *others: str) -> PolicyState:
        """Return how the policy stands; who may not read it, or its history, is told less, and no error.

        Args:
            others: Names of targets that only an entry with a star allows.
        """
        try:
            now = self._parameter.read()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "Unknown")
            return PolicyState(refusal=f"it cannot be read, nor what is paused: {code}")
        if self._known is None or self._known[-1].number != now.number:
            try:
                self._known = self._parameter.history()
            except ClientError:
                self._known = [now]
        names = dict.fromkeys([*self._names, *_named(now), *others])
        return PolicyState(problem=problem_of(now.text), pauses=find_pauses(self._known, names))


def policy_watch(reprise: App) -> PolicyWatch:
    """Return what watches the policy of the stack."""
    stack = reprise.stack
    parameter = PolicyParameter(client=reprise.aws.ssm, name=stack.policy_parameter)
    return PolicyWatch(parameter, stack.targets)


def _named(version: Version) -> list[str]:
    try:
        return [*json.loads(version.text).get("targets", {})]
    except (ValueError, AttributeError, TypeError):
        return []
