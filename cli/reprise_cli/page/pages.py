"""The deployed dashboard, read and drawn when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reprise import metric
from reprise.instant import parse_instant, utc_now
from reprise_cli.dashboard.cloudwatch import CloudWatch
from reprise_cli.dashboard.drawing import DrawingView, draw, without
from reprise_cli.dashboard.model.body import BodyError, read_body
from reprise_cli.dashboard.periods import (
    FINEST_AWS_S,
    FINEST_LOCAL_S,
    PERIODS_S,
    RANGES_S,
    finest_kept_s,
)
from reprise_cli.exits import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.app import App
    from reprise_cli.page.place import PagePlace

DEFAULT_RANGE: Final = "1h"
_REFRESH_LOCAL_S: Final = 5
_REFRESH_AWS_S: Final = 60
"""Metrics come by the minute there, and every one that is asked for is billed."""
_RANGE: Final = "range"
_PERIOD: Final = "period"
_FROM, _TO = "from", "to"
_AUTO: Final = "auto"
_BETWEEN: Final = "between"
"""Stands for two instants among the ranges."""
_VARIABLE: Final = "var."
_LONGEST_S: Final = 455 * 86_400
"""CloudWatch keeps nothing for longer."""
_OF_SCHEDULES: Final = frozenset(name for name in metric.TABLE if name.startswith(("Runs", "Warm")))
"""Metrics that only the add-on schedules writes."""


class DashboardPages:
    """Draws one stack's dashboard."""

    def __init__(self, reprise: App, place: PagePlace, name: str | None = None) -> None:
        """Draw this one; the stack's own if it is not named."""
        self._name = name or reprise.stack.name
        self._cloudwatch = CloudWatch(reprise.aws.cloudwatch)
        self._place = place
        self._never = frozenset() if reprise.schedules_if_any is not None else _OF_SCHEDULES

    def dashboard(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the drawn dashboard.

        Raises:
            UsageError: If the range or the period is none that there is.
            CommandError: If there is no dashboard, or it cannot be drawn.
        """
        is_local = self._place.is_local
        now_s = int(utc_now().timestamp())
        range_name, end_s, range_s = asked_range(asked, now_s)
        period_name = asked.get(_PERIOD, _AUTO)
        finest_s = FINEST_LOCAL_S if is_local else FINEST_AWS_S
        periods_s = {key: seconds for key, seconds in PERIODS_S.items() if seconds >= finest_s}
        _check(_PERIOD, period_name, [_AUTO, *periods_s])
        chosen = {
            key.removeprefix(_VARIABLE): value
            for key, value in asked.items()
            if key.startswith(_VARIABLE) and value
        }
        try:
            body = read_body(self._cloudwatch.body(self._name), chosen)
        except BodyError as error:
            msg = f"dashboard {self._name}"
            raise CommandError(msg, str(error), "Correct it in its template") from error
        view = DrawingView(
            now_s=end_s,
            range_s=range_s,
            finest_s=finest_s if is_local else finest_kept_s(now_s - end_s + range_s, finest_s),
            period_s=periods_s.get(period_name),
        )
        return draw(without(body, self._never), chosen, view, self._cloudwatch) | {
            "name": self._name,
            "place": self._place.words,
            "range": range_name,
            "ranges": [*RANGES_S, _BETWEEN],
            "period": period_name,
            "periods": [_AUTO, *periods_s],
            "refresh_s": _REFRESH_LOCAL_S if is_local else _REFRESH_AWS_S,
        }


def asked_range(asked: Mapping[str, Any], now_s: int) -> tuple[str, int, int]:
    """Return the name of the range that is asked for, its end and its length.

    Raises:
        UsageError: If it is none.
    """
    if asked.get(_FROM):
        from_s = _instant(_FROM, asked[_FROM])
        to_s = min(now_s, _instant(_TO, asked[_TO])) if asked.get(_TO) else now_s
        if not now_s - _LONGEST_S <= from_s < to_s:
            raise UsageError(_FROM, "is not before the end, or too long ago", "Choose another")
        return _BETWEEN, to_s, to_s - from_s
    name = asked.get(_RANGE, DEFAULT_RANGE)
    _check(_RANGE, name, list(RANGES_S))
    return name, now_s, RANGES_S[name]


def _instant(field: str, text: str) -> int:
    try:
        return int(parse_instant(text).timestamp())
    except ValueError as error:
        raise UsageError(
            field, f"{text[:40]!r} is no instant", "Write 2026-11-30T03:00Z"
        ) from error


def _check(field: str, name: str, known: list[str]) -> None:
    if name not in known:
        raise UsageError(field, f"{name!r} is none", f"Choose one of {', '.join(known)}")
