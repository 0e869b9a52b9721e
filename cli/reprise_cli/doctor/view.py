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
    from collections.abc import Iterable, Iterator

    from rich.console import Console, ConsoleOptions, RenderableType

    from reprise_cli.doctor.check import Diagnosis, Finding
    from reprise_cli.doctor.facts import Facts

_MARGIN: Final = "  "
_COMMAND: Final = "aws "


@dataclass(frozen=True, slots=True)
class Indented:
    """Text below a heading, broken between words; a command is broken so that it can be copied."""

    text: Text
    is_command: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Text]:
        """Show it in as many columns as there are."""
        width = options.max_width - len(_MARGIN)
        if self.is_command:
            lines = [Text(printable(line)) for line in folded(self.text.plain, width)]
        else:
            lines = list(self.text.wrap(console, width))
        for line in lines:
            line.rstrip()
            yield Text(_MARGIN, no_wrap=True, overflow="ignore") + line


def folded(command: str, width: int) -> list[str]:
    """Return the lines of a command, each but the last ending so that a shell goes on; no word is broken."""
    lines: list[str] = []
    for word in shlex.split(command):
        quoted = shlex.quote(word)
        # Room for a blank, and for the blank and the backslash at the end.
        if lines and len(lines[-1]) + len(quoted) + 3 <= width:
            lines[-1] += f" {quoted}"
        else:
            lines.append(f"{_MARGIN}{quoted}" if lines else quoted)
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def show(facts: Facts, diagnosis: Diagnosis) -> Iterator[RenderableType]:
    """Return what to print, in order."""
    problems, untold = diagnosis.of(CheckStatus.PROBLEM), diagnosis.of(CheckStatus.CANNOT_TELL)
    well = diagnosis.of(CheckStatus.OK)
    title = f"{facts.stack} in {facts.region}, account {facts.account}: "
    told = counted(len(problems), "problem") if problems else "no problem found"
    yield Text(printable(title), "bold") + Text(told, "bold red" if problems else "bold green")
    for finding in problems:
        yield from _told(finding, "red")
    for finding in untold:
        yield from _told(finding, "yellow")
    counts = {group: sum(each.group is group for each in well) for group in CheckGroup}
    groups = ", ".join(f"{group.value} {count}" for group, count in counts.items() if count)
    yield Text()
    if well:
        yield Text(f"well: {counted(len(well), 'check')} ({groups})")
    yield Text(
        f"not decided by looking: {len(UNDECIDED)} points of docs/explanation/not-run-on-aws.md",
        "dim",
    )


def _told(finding: Finding, style: str) -> Iterator[RenderableType]:
    yield Text()
    yield (
        Text(finding.status.value.upper(), f"bold {style}")
        + Text(f"  {finding.group.value}: ")
        + Text(finding.check, "bold")
    )
    yield Indented(Text(printable(finding.says)))
    if finding.mend.startswith(_COMMAND):
        yield Indented(Text("do:", "bold"))
        yield Indented(Text(finding.mend), is_command=True)
    elif finding.mend:
        yield Indented(Text("do: ", "bold") + Text(printable(finding.mend)))
    if finding.status is CheckStatus.PROBLEM:
        yield Indented(Text(f"see docs/{finding.page}", "dim"))
