"""Every view of one stack, put together: the page's composition root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.page.calls import CallViews
from reprise_cli.page.heard import heard
from reprise_cli.page.letter_jobs import LetterJobPages
from reprise_cli.page.letters import LetterPages
from reprise_cli.page.live import LiveTargets
from reprise_cli.page.pages import DashboardPages
from reprise_cli.page.place import find_page_place
from reprise_cli.page.policy import PolicyPages
from reprise_cli.page.runbooks import runbook, runbooks
from reprise_cli.top.watch import Watch

if TYPE_CHECKING:
    from reprise_cli.app import App
    from reprise_cli.page.routes import Asked, Views

_LIVE_LOCAL_S: Final = 3
_LIVE_AWS_S: Final = 10
"""Each look asks CloudWatch for four metrics a target, which AWS bills."""


def make_views(
    reprise: App, name: str | None = None, *, shows_payload: bool, operates: bool
) -> Views:
    """Return what the page shows of a stack, and what it can do there.

    Clients are made in this thread; requests are served by others.

    Args:
        reprise: The command, at its place.
        name: Of the CloudWatch dashboard; the stack's own if it is not named.
        shows_payload: Whether payloads may be asked for.
        operates: Whether anything may be changed.
    """
    quiet, out = heard(reprise)
    for service in ("cloudwatch", "dynamodb", "s3", "secrets", "sqs", "ssm"):
        getattr(quiet.aws, service)
    # Likewise: what is made when it is first asked for.
    _ = quiet.ledger, quiet.keyring
    place = find_page_place(quiet, operates=operates)
    dashboard = DashboardPages(quiet, place, name)
    live_s = _LIVE_LOCAL_S if place.is_local else _LIVE_AWS_S
    live = LiveTargets(Watch(quiet).look, refresh_s=live_s)
    calls = CallViews(quiet, out, shows_payload=shows_payload)
    letters = LetterPages(quiet, out)
    jobs = LetterJobPages(quiet, out, letters.forget)
    policy = PolicyPages(quiet)
    return {
        "about": _about,
        "place": place.show,
        "dashboard": dashboard.dashboard,
        "top": live.top,
        "calls": calls.list,
        "call": calls.call,
        "letters": letters.list,
        "letter": letters.one,
        "jobs": jobs.list,
        "job": jobs.one,
        "policy": policy.show,
        "runbooks": runbooks,
        "runbook": runbook,
        "pause": policy.pause,
        "resume": policy.resume,
        "dry_run": jobs.dry_run,
        "redrive": jobs.redrive,
        "discard": jobs.discard,
        "stop_job": jobs.stop,
        "resume_job": jobs.resume,
    }


def _about(_asked: Asked) -> dict[str, Any]:
    return {"pid": os.getpid()}
