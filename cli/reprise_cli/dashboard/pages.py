"""What the page shows: the deployed dashboard and one call's story, read when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from reprise.instant import utc_now
from reprise_cli.dashboard.cloudwatch import CloudWatch
from reprise_cli.dashboard.drawing import DrawingView, draw
from reprise_cli.dashboard.model.body import BodyError, read_body
from reprise_cli.dashboard.periods import FINEST_AWS_S, FINEST_LOCAL_S, PERIODS_S, RANGES_S
from reprise_cli.exits import CommandError, UsageError
from reprise_cli.policy.pauses import policy_watch
from reprise_cli.story.reader import StoryReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.app import App

DEFAULT_RANGE: Final = "1h"
_REFRESH_LOCAL_S: Final = 5
_REFRESH_AWS_S: Final = 60
"""Metrics come by the minute there, and every one that is asked for is billed."""
_RANGE: Final = "range"
_PERIOD: Final = "period"
_AUTO: Final = "auto"
_VARIABLE: Final = "var."
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class StackPages:
    """The pages of one stack."""

    def __init__(self, reprise: App, name: str | None = None, *, shows_payload: bool) -> None:
        """Show this stack."""
        self._name = name or reprise.stack.name
        self._cloudwatch = CloudWatch(reprise.aws.cloudwatch)
        endpoint_url = reprise.aws.cloudwatch.meta.endpoint_url
        self._is_local = urlsplit(endpoint_url).hostname in _THIS_MACHINE
        self._place = endpoint_url if self._is_local else f"AWS, {reprise.aws.region}"
        self._shows_payload = shows_payload
        # Clients are made in this thread; requests are served by others.
        self._reader = StoryReader(reprise)
        self._policy = policy_watch(reprise)

    def dashboard(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Return the drawn dashboard.

        Raises:
            UsageError: If the range or the period is none that there is.
            CommandError: If there is no dashboard, or it cannot be drawn.
        """
        range_name = asked.get(_RANGE, DEFAULT_RANGE)
        period_name = asked.get(_PERIOD, _AUTO)
        finest_s = FINEST_LOCAL_S if self._is_local else FINEST_AWS_S
        periods_s = {key: seconds for key, seconds in PERIODS_S.items() if seconds >= finest_s}
        for field, name, known in (
            (_RANGE, range_name, list(RANGES_S)),
            (_PERIOD, period_name, [_AUTO, *periods_s]),
        ):
            if name not in known:
                raise UsageError(field, f"{name!r} is none", f"Choose one of {', '.join(known)}")
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
            now_s=int(utc_now().timestamp()),
            range_s=RANGES_S[range_name],
            finest_s=finest_s,
            period_s=periods_s.get(period_name),
        )
        return draw(body, chosen, view, self._cloudwatch) | {
            "name": self._name,
            "place": self._place,
            "notices": self._policy.look().lines(),
            "range": range_name,
            "ranges": list(RANGES_S),
            "period": period_name,
            "periods": [_AUTO, *periods_s],
            "refresh_s": _REFRESH_LOCAL_S if self._is_local else _REFRESH_AWS_S,
        }

    def call(self, call_id: str) -> dict[str, Any]:
        """Return a call's story.

        Raises:
            CommandError: If no call of that id is known.
        """
        return self._reader.read(call_id, shows_payload=self._shows_payload).document()
