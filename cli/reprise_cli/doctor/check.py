"""A check is a row, run over what was read; what was not read makes none fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reprise_cli.doctor.mend import named
from reprise_cli.doctor.read import CannotTellError, NotRead
from reprise_cli.options import DEFAULT_STACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reprise_cli.doctor.facts import Facts
    from reprise_cli.doctor.read import Read

NOT_UP: Final = "the stack is not up"


class CheckStatus(StrEnum):
    """What a check concludes."""

    PROBLEM = "problem"
    CANNOT_TELL = "cannot tell"
    OK = "ok"


class CheckGroup(StrEnum):
    """What a check is about, in the order in which people read."""

    DEPLOYMENT = "deployment"
    CAPTURE = "capture path"
    REPLAY = "replay"
    OPERATOR = "operator"
    CALLER = "caller"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong."""

    wrong: str
    """One line: what is wrong, with the name of the thing."""
    mend: str
    """One line: what to do."""
    page: str = ""
    """A page that fits better than the check's own."""


@dataclass(frozen=True, slots=True)
class Check[T]:
    """One row; a table begins with the group of its rows."""

    group: CheckGroup
    name: str
    asks: str
    """What it asks, as a question that `ok` answers with yes."""
    page: str
    """Below docs/: the runbook, or the page that explains."""
    of: Callable[[Facts], Mapping[str, Read[T]]]
    """What it looks at, by name."""
    look: Callable[[str, T, Facts], Iterable[Problem]]
    """Says what is wrong with one of them."""
    reads_all: bool = True
    """Whether it needs a stack that is up."""

    def run(self, facts: Facts) -> tuple[Finding, ...]:
        """Return what is wrong; else one finding, that nothing is, or that it cannot be told."""
        if self.reads_all and not facts.is_up:
            return (self._finding(CheckStatus.CANNOT_TELL, NOT_UP),)
        problems: list[Problem] = []
        unread: list[str] = []
        try:
            items = list(self.of(facts).items())
        except CannotTellError as error:
            items, unread = [], [error.unread.why]
        for name, item in items:
            if isinstance(item, NotRead):
                unread.append(item.why)
                continue
            try:
                problems += self.look(name, item, facts)
            except CannotTellError as error:
                unread.append(error.unread.why)
        found = [
            self._finding(
                CheckStatus.PROBLEM,
                each.wrong,
                _of_stack(each.mend, facts.stack),
                each.page or self.page,
            )
            for each in dict.fromkeys(problems)
        ]
        # A reason for each: who may not read queues is told of that, and not of each queue.
        found += [
            self._finding(CheckStatus.CANNOT_TELL, _of_stack(why, facts.stack))
            for why in dict.fromkeys(unread)
        ]
        return tuple(found) or (self._finding(CheckStatus.OK),)

    def _finding(
        self, status: CheckStatus, says: str = "", mend: str = "", page: str = ""
    ) -> Finding:
        return Finding(
            check=self.name,
            group=self.group,
            status=status,
            says=says,
            mend=mend,
            page=page or self.page,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of a check."""

    check: str
    group: CheckGroup
    status: CheckStatus
    says: str = ""
    """What is wrong, or why nobody can tell; empty where all is well."""
    mend: str = ""
    """What to do."""
    page: str = ""
    """Below docs/."""

    def document(self) -> dict[str, str]:
        """Return it as JSON values."""
        return {
            "check": self.check,
            "group": self.group.value,
            "status": self.status.value,
            "says": self.says,
            "mend": self.mend,
            "page": f"docs/{self.page}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings of one look."""

    findings: tuple[Finding, ...] = field(default=())

    def of(self, status: CheckStatus) -> list[Finding]:
        """Return those of a status, in the order of the groups."""
        order = list(CheckGroup)
        return sorted(
            (each for each in self.findings if each.status is status),
            key=lambda each: order.index(each.group),
        )


def _of_stack(text: str, stack: str) -> str:
    """Return a text whose commands of ours go to this stack."""
    if stack == DEFAULT_STACK:
        return text
    return text.replace("`reprise ", f"`reprise --stack-name {named(stack)} ")


def diagnose(checks: Sequence[Check[object]], facts: Facts) -> Diagnosis:
    """Run checks over facts."""
    return Diagnosis(findings=tuple(each for check in checks for each in check.run(facts)))


def one[T](value: Read[T]) -> dict[str, Read[T]]:
    """Return a single fact as what checks look at."""
    return {"": value}
