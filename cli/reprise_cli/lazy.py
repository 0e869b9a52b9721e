"""Import a command when it is run, and not the others: less to wait for, and less memory to hold."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.main import get_command, get_group

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class LazyCommands(MutableMapping[str, Any]):
    """The commands of a group by name, each made when it is first asked for."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """Begin.

        Args:
            places: Where each command is, as `module:attribute`: a function, or a Typer of commands.
        """
        self._places = places
        self._commands: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer names no public type for commands
        """Return a command.

        Raises:
            KeyError: If there is none of that name.
        """
        if name not in self._commands:
            self._commands[name] = _load(name, self._places[name])
        return self._commands[name]

    def __setitem__(self, name: str, command: Any) -> None:  # noqa: ANN401 - as above
        """Take a command that is made already."""
        self._places = {**self._places, name: ""}
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        """Forget a command."""
        self._places = {key: place for key, place in self._places.items() if key != name}
        self._commands.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in order; imports nothing."""
        return iter(self._places)

    def __len__(self) -> int:
        """Return how many commands there are."""
        return len(self._places)


def _load(name: str, place: str) -> Any:  # noqa: ANN401 - as above
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        command: Any = get_group(found)
    else:
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(found)
        command = get_command(alone)
    command.name = name
    return command
