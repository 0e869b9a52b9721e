"""Read a dashboard body: the text that GetDashboard gives, as values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from reprise_cli.dashboard.model.variables import Variable, choose
from reprise_cli.dashboard.model.widgets import Widget, read_widget

if TYPE_CHECKING:
    from collections.abc import Mapping


class BodyError(ValueError):
    """The body cannot be read; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard, a choice of its variables made."""

    widgets: tuple[Widget, ...]
    keeps_periods: bool
    """Whether charts keep their widgets' periods, rather than let them follow the time range."""
    variables: tuple[Variable, ...]


def read_body(text: str, chosen: Mapping[str, str] | None = None) -> Dashboard:
    """Return the dashboard that a body describes.

    Raises:
        BodyError: If the body is no dashboard.
    """
    try:
        document: Any = json.loads(text)
    except ValueError as error:
        msg = f"the body is no JSON: {error}"
        raise BodyError(msg) from error
    if not isinstance(document, dict):
        msg = "the body is no JSON object"
        raise BodyError(msg)
    try:
        variables = msgspec.convert(document.get("variables", []), list[Variable])
    except ValueError as error:
        msg = f"variables: {error}"
        raise BodyError(msg) from error
    stated = document.get("widgets", [])
    if not isinstance(stated, list):
        msg = "widgets: not a list"
        raise BodyError(msg)
    widgets = []
    try:
        stated = choose(stated, variables, chosen or {})
    except re.error as error:
        msg = f"variables: {error.pattern!r} is no pattern: {error}"
        raise BodyError(msg) from error
    for number, widget in enumerate(stated):
        try:
            widgets.append(read_widget(msgspec.convert(widget, dict[str, Any])))
        except ValueError as error:
            msg = f"widgets[{number}]: {error}"
            raise BodyError(msg) from error
    return Dashboard(
        widgets=tuple(widgets),
        keeps_periods=document.get("periodOverride") == "inherit",
        variables=tuple(variables),
    )
