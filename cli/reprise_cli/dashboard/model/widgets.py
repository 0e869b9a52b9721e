"""The widgets of a dashboard body, as far as they can be drawn."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

type Side = Literal["left", "right"]

GRID_COLUMNS = 24
"""Width of the layout grid."""
_DEFAULT_WIDTH = 6
_DEFAULT_HEIGHT = 6


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of a body; what we do not know is passed over, as CloudWatch adds to it."""


class Axis(_Part, frozen=True, kw_only=True):
    """One of a chart's two value axes."""

    label: str | None = None
    min: float | None = None
    max: float | None = None
    show_units: bool = True


class Axes(_Part, frozen=True, kw_only=True):
    """A chart's value axes."""

    left: Axis = Axis()
    right: Axis = Axis()


class Threshold(_Part, frozen=True, kw_only=True):
    """A horizontal line; or one edge of a band."""

    value: float
    label: str = ""
    color: str | None = None
    fill: Literal["above", "below", "none"] = "none"
    visible: bool = True
    y_axis: Side = "left"


class Moment(_Part, frozen=True, kw_only=True):
    """A vertical line."""

    value: str
    """Instant, ISO 8601."""
    label: str = ""
    color: str | None = None
    visible: bool = True


class Annotations(_Part, frozen=True, kw_only=True):
    """What is drawn over a chart."""

    horizontal: list[Threshold | list[Threshold]] = []
    vertical: list[Moment | list[Moment]] = []
    alarms: list[str] = []

    @property
    def thresholds(self) -> list[Threshold]:
        """Return the horizontal lines that show, the edges of bands as lines."""
        return [line for line in _flat(self.horizontal) if line.visible]

    @property
    def moments(self) -> list[Moment]:
        """Return the vertical lines that show, the edges of bands as lines."""
        return [line for line in _flat(self.vertical) if line.visible]


class MetricProperties(_Part, frozen=True, kw_only=True):
    """What a metric widget shows."""

    metrics: list[list[Any]] = []
    title: str = ""
    view: str = "timeSeries"
    stacked: bool = False
    region: str | None = None
    stat: str = "Average"
    period: int = 300
    y_axis: Axes = Axes()
    annotations: Annotations = Annotations()
    set_period_to_time_range: bool = False
    sparkline: bool = False


class TextProperties(_Part, frozen=True, kw_only=True):
    """What a text widget shows."""

    markdown: str = ""
    background: str = "solid"


class AlarmProperties(_Part, frozen=True, kw_only=True):
    """What an alarm widget shows."""

    alarms: list[str] = []
    title: str = ""


class LogProperties(_Part, frozen=True, kw_only=True):
    """What a log widget would show."""

    query: str = ""
    title: str = ""


type Properties = MetricProperties | TextProperties | AlarmProperties | LogProperties


class Widget(msgspec.Struct, frozen=True, kw_only=True):
    """A widget and its place on the grid, in columns and rows."""

    kind: str
    properties: Properties | None
    """None for a kind that is not drawn here."""
    x: int = 0
    y: int = 0
    width: int = _DEFAULT_WIDTH
    height: int = _DEFAULT_HEIGHT


_KINDS: dict[str, type[Properties]] = {
    "metric": MetricProperties,
    "text": TextProperties,
    "alarm": AlarmProperties,
    "log": LogProperties,
}


def read_widget(document: dict[str, Any]) -> Widget:
    """Return the widget that a JSON object describes.

    Raises:
        ValueError: If a field has a value that it cannot have; the message names it.
    """
    kind = str(document.get("type", ""))
    shape = _KINDS.get(kind)
    place = {
        name: msgspec.convert(document[name], int)
        for name in ("x", "y", "width", "height")
        if name in document
    }
    properties = msgspec.convert(document.get("properties", {}), shape) if shape else None
    return Widget(kind=kind, properties=properties, **place)


def _flat[Line](lines: list[Line | list[Line]]) -> list[Line]:
    return [line for entry in lines for line in (entry if isinstance(entry, list) else [entry])]
