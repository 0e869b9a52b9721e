"""`reprise cleanup`: what CloudFormation kept of a stack that is gone or never came up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from reprise_cli.app import app_of
from reprise_cli.cleanup.plan import ResourceKind, check_status, kept_of, plan
from reprise_cli.cleanup.remains import Remains
from reprise_cli.exits import CommandError
from reprise_cli.options import DEFAULT_STACK

if TYPE_CHECKING:
    from reprise_cli.app import App
    from reprise_cli.cleanup.plan import CleanupPlan, Found


def cleanup(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Delete these with what is in them."),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is left.")] = False,
) -> None:
    """Delete what a stack left behind, so that one of its name can be deployed again.

    For a stack that was deleted, or whose first deployment failed; that failed stack goes, too.
    What is empty is deleted; what holds something, only if it is named.
    """
    reprise = app_of(context)
    stack = reprise.options.stack_name
    account = reprise.aws.account
    reprise.say_place()
    remains = Remains(
        s3=reprise.aws.s3,
        sqs=reprise.aws.sqs,
        dynamodb=reprise.aws.dynamodb,
        cloudformation=reprise.aws.cloudformation,
        account=account,
    )
    status = remains.status(stack)
    check_status(stack, status)
    known = kept_of(stack, account, reprise.aws.region)
    planned = plan(remains.find_all(known), names or (), known)
    _show(reprise, planned, status)
    if not dry_run:
        _delete(reprise, remains, planned, status)
    reprise.out.result(
        {
            "stack": stack,
            "account": account,
            "region": reprise.aws.region,
            "status": status,
            "dry_run": dry_run,
            "delete": [_describe(one) for one in planned.delete],
            "keep": [_describe(one) for one in planned.keep],
        }
    )
    if planned.keep:
        _tell_of(reprise, planned, is_dry_run=dry_run)


def _delete(reprise: App, remains: Remains, planned: CleanupPlan, status: str | None) -> None:
    stack = reprise.options.stack_name
    for one in planned.delete:
        remains.delete(one)
        reprise.out.note(f"deleted: {one.thing.kind} {one.thing.name}")
    # Last: CloudFormation cannot delete a stack whose bucket it may not keep and that holds something.
    if status is not None and not planned.keep:
        with reprise.out.progress(f"deleting stack {stack}"):
            remains.delete_stack(stack)
    if any(one.thing.kind is ResourceKind.QUEUE for one in planned.delete):
        reprise.out.note("SQS takes a queue of the same name again after 60 seconds")


def _tell_of(reprise: App, planned: CleanupPlan, *, is_dry_run: bool) -> None:
    stack, names = reprise.options.stack_name, [one.thing.name for one in planned.keep]
    options = [] if stack == DEFAULT_STACK else ["--stack-name", stack]
    command = " ".join(["reprise cleanup", *options, *names])
    if is_dry_run:
        reprise.out.note(f"to delete what holds something, too, name it: {command}")
        return
    raise CommandError(
        "NAME",
        f"left for what is in it: {', '.join(names)}",
        f"Take what you need, then name it: {command}",
    )


def _show(reprise: App, planned: CleanupPlan, status: str | None) -> None:
    stack = reprise.options.stack_name
    table = Table("what", "name", "in it", "cleanup", title=f"left of {stack}")
    if status is not None:
        table.add_row("stack", stack, status, "leaves it" if planned.keep else "deletes it")
    for one in (*planned.delete, *planned.keep):
        verdict = "leaves it" if one in planned.keep else "deletes it"
        table.add_row(one.thing.kind, one.thing.name, one.content or "nothing", verdict)
    if table.row_count:
        reprise.out.show(table)
    else:
        reprise.out.show(f"nothing is left of {stack}")


def _describe(one: Found) -> dict[str, Any]:
    return {"kind": one.thing.kind.value, "name": one.thing.name, "content": one.content}
