"""`reprise calls`: every captured call, found and listed, shown, cancelled, waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from reprise.instant import utc_now
from reprise.ledger import TERMINAL
from reprise_cli.app import app_of
from reprise_cli.calls.desk import find_calls
from reprise_cli.calls.options import (
    ErrorOption,
    FromOption,
    KeyOption,
    LimitOption,
    NewerOption,
    OlderOption,
    ReasonOption,
    ScanOption,
    StateOption,
    TargetOption,
    ToOption,
    Typed,
    call_filter,
)
from reprise_cli.calls.selection import StateChoice
from reprise_cli.calls.view import describe, groups, say_groups, show_calls
from reprise_cli.commands.cancel import cancel
from reprise_cli.commands.show import show
from reprise_cli.commands.wait import wait
from reprise_cli.output import FormatOption, counted
from reprise_cli.policy.document import short_name
from reprise_cli.policy.pauses import policy_watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.app import App
    from reprise_cli.calls.selection import FoundCall

app = typer.Typer(
    help="Captured calls: list, show, cancel, and wait for them.", no_args_is_help=True
)

app.command("show")(show)
app.command("wait")(wait)


app.command("cancel")(cancel)


@app.command("list")
def list_calls(
    context: typer.Context,
    *,
    target: TargetOption = None,
    state: StateOption = StateChoice.OPEN,
    reason: ReasonOption = None,
    key: KeyOption = None,
    error: ErrorOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    since: FromOption = None,
    until: ToOption = None,
    limit: LimitOption = 1000,
    scan: ScanOption = False,
    output: FormatOption = None,
) -> None:
    """List calls, the youngest first; the open ones, if nothing else is asked for."""
    reprise = app_of(context)
    reprise.out.write_as(output)
    typed = Typed(
        target=target,
        reason=reason,
        key=key,
        error=error,
        older_than=older_than,
        newer_than=newer_than,
        since=since,
        until=until,
    )
    wanted = call_filter(reprise, state, typed)
    found = find_calls(reprise, wanted, limit, is_scan=scan)
    now = utc_now()
    what = "call" if wanted.state is StateChoice.ALL else f"{wanted.state.value} call"
    show_calls(reprise.out, found, counted(len(found), what.replace("_", "-")), now)
    if found:
        reprise.out.show(say_groups(found))
        _say_paused(reprise, found)
    documents = [describe(call, now) for call in found]
    reprise.out.rows(documents)
    reprise.out.result({"count": len(found), "groups": groups(found), "calls": documents})


def _say_paused(reprise: App, calls: Sequence[FoundCall]) -> None:
    """Warn of targets that are paused: their calls wait for that, whatever they were captured for."""
    targets = {short_name(call.row.target) for call in calls if call.row.state not in TERMINAL}
    if not targets:
        return
    for name, pause in policy_watch(reprise).look(*sorted(targets)).pauses.items():
        if name in targets:
            reprise.out.warn(f"{name} is {pause}")
