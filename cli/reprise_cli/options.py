"""The options that every command takes, wherever on the command line they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_STACK: Final = "reprise"
_FLAGS: Final = frozenset({"--json", "--local", "--wide"})
_VALUED: Final = frozenset(
    {"--stack-name", "--schedules-stack", "--endpoint-url", "--region", "--profile"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked of every command."""

    stack_name: str = DEFAULT_STACK
    schedules_stack: str | None = None
    """Stack of the add-on schedules; None if it is called as we propose."""
    is_json: bool = False
    """Print one JSON object on standard output, and nothing else there."""
    is_local: bool = False
    """Work on the local engine, whatever else is set."""
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None

    @property
    def schedules_name(self) -> str:
        """Return the name of the stack of the add-on schedules."""
        return self.schedules_stack or f"{self.stack_name}-schedules"


def hoist(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the global options first, so that they may stand anywhere.

    What follows `--` stays where it is, and so does the value of an option that is not global.
    """
    front: list[str] = []
    rest: list[str] = []
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if argument == "--":
            rest += [argument, *left]
            break
        if argument in _FLAGS or argument.partition("=")[0] in _VALUED:
            front.append(argument)
            if argument in _VALUED and left:
                front.append(left.pop(0))
        else:
            rest.append(argument)
    return front + rest
