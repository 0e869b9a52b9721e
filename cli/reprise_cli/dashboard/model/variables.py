"""A dashboard's variables: what can be chosen, and the body with the choice put in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

type Json = Any


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a variable."""

    value: str
    label: str = ""


class Variable(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that a reader of the dashboard chooses."""

    id: str
    type: Literal["pattern", "property"]
    pattern: str = ""
    """Regular expression; every match in the widgets is replaced by the choice."""
    property: str = ""
    """Name of a property or dimension that takes the choice."""
    label: str = ""
    default_value: str | None = None
    values: list[Choice] = []
    search: str | None = None
    """Search expression that finds more values, as `SEARCH` takes it."""
    populate_from: str | None = None
    """Dimension whose values the search gives."""
    visible: bool = True


def choose(widgets: Json, variables: list[Variable], chosen: Mapping[str, str]) -> Json:
    """Return widgets, as JSON values, with each variable's chosen or default value put in."""
    for variable in variables:
        value = chosen.get(variable.id) or variable.default_value
        if value is None:
            continue
        if variable.type == "pattern" and variable.pattern:
            widgets = _replace(widgets, re.compile(variable.pattern), value)
        elif variable.type == "property" and variable.property:
            widgets = _assign(widgets, variable.property, value)
    return widgets


def _replace(node: Json, pattern: re.Pattern[str], value: str) -> Json:
    match node:
        case str():
            return pattern.sub(lambda _: value, node)
        case dict():
            return {name: _replace(part, pattern, value) for name, part in node.items()}
        case list():
            return [_replace(part, pattern, value) for part in node]
        case _:
            return node


def _assign(node: Json, name: str, value: str) -> Json:
    """Set a property wherever it stands: as a field, or as a dimension before its value."""
    match node:
        case dict():
            return {
                key: value if key == name and isinstance(part, str) else _assign(part, name, value)
                for key, part in node.items()
            }
        case list():
            return [
                value
                if place and isinstance(part, str) and node[place - 1] == name
                else _assign(part, name, value)
                for place, part in enumerate(node)
            ]
        case _:
            return node
