"""Show a diagnosis to people: problems first, each with its mend, in as many columns as there are."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from reprise.printable import printable
from reprise_cli.doctor.check import CheckGroup, CheckStatus
from reprise_cli.doctor.undecided import UNDECIDED
from reprise_cli.output import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType

    from reprise_cli.doctor.check import Diagnosis, Finding
    from reprise_cli.doctor.facts import Facts

_MARGIN: Final = "  "
_COMMAND: Final = "aws "
_MOST_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class Indented:
    """Text below a heading, broken between words."""

    text: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Text]:
        """Show it in as many columns as there are."""
        for line in self.text.wrap(console, options.max_width - len(_MARGIN)):
            line.rstrip()
            yield Text(_MARGIN, no_wrap=True, overflow="ignore") + line


def folded(command: str, width: int) -> list[str]:
    """Return the lines of a command, each but the last ending so that a shell goes on.

    No word is broken: one that is longer than a line has a line that is longer.
    """
    lines: list[str] = []
    for part in _parts(command):
        # Room for a blank, and for the blank and the backslash at the end.
        if lines and len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f" {part}"
        else:
            lines.append(f"{_MARGIN}{part}" if lines else part)
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def _parts(command: str) -> list[str]:
    """Return what stays on one line: words, and an option with its value."""
    parts: list[str] = []
    is_option = False
    for word in shlex.split(command):
        if is_option and not word.startswith("--"):
            parts[-1] += f" {shlex.quote(word)}"
        else:
            parts.append(shlex.quote(word))
        is_option = word.startswith("--")
    return parts


def show(facts: Facts, diagnosis: Diagnosis, width: int) -> Iterator[RenderableType]:
    """Return what to print, in order.

    Args:
        facts: What was read.
        diagnosis: What was found.
        width: How many columns there are for commands, which are text that no console may break.
    """
    problems, well = diagnosis.of(CheckStatus.PROBLEM), diagnosis.of(CheckStatus.OK)
    title = f"{facts.stack} in {facts.region}, account {facts.account}: "
    told = counted(len(problems), "problem") if problems else "no problem found"
    yield Text(printable(title), "bold") + Text(told, "bold red" if problems else "bold green")
    for finding in problems:
        yield from _problem(finding, width)
    untold: dict[str, list[Finding]] = {}
    for finding in diagnosis.of(CheckStatus.CANNOT_TELL):
        untold.setdefault(finding.says, []).append(finding)
    for why, findings in untold.items():
        yield Text()
        yield Text("CANNOT TELL", "bold yellow") + Text(f"  {_names(findings)}")
        yield Indented(Text(printable(why)))
    counts = {group: sum(each.group is group for each in well) for group in CheckGroup}
    groups = ", ".join(f"{group.value} {count}" for group, count in counts.items() if count)
    yield Text()
    if well:
        yield Text(f"well: {counted(len(well), 'check')} ({groups})")
    yield Text(
        f"not decided by looking: {len(UNDECIDED)} points of docs/explanation/not-run-on-aws.md",
        "dim",
    )


def _names(findings: Sequence[Finding]) -> str:
    """Return the checks that have one reason; of many the first."""
    names = [each.check for each in findings]
    if len(names) <= _MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:2])} and {len(names) - 2} more, which --json names"


def _problem(finding: Finding, width: int) -> Iterator[RenderableType]:
    yield Text()
    yield (
        Text("PROBLEM", "bold red")
        + Text(f"  {finding.group.value}: ")
        + Text(finding.check, "bold")
    )
    yield Indented(Text(printable(finding.says)))
    if finding.mend.startswith(_COMMAND):
        lines = folded(finding.mend, width - len(_MARGIN))
        yield Indented(Text("do:", "bold"))
        yield "\n".join(f"{_MARGIN}{line}" for line in lines)
    else:
        yield Indented(Text("do: ", "bold") + Text(printable(finding.mend)))
    yield Indented(Text(f"see docs/{finding.page}", "dim"))
