"""`reprise dlq watch` and `cancel`: jobs that the stack runs."""

from __future__ import annotations

from typing import Annotated

import typer

from reprise_cli.app import app_of
from reprise_cli.dlq import jobs

Job = Annotated[str, typer.Argument(metavar="JOB", help="Id of a job: see `reprise audit`.")]


def watch(context: typer.Context, job: Job) -> None:
    """Watch a job until it ends; Ctrl-C stops only the watching."""
    jobs.watch(app_of(context), job)


def cancel(
    context: typer.Context,
    job: Job,
    *,
    why: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
) -> None:
    """Stop a job of the stack, within ten seconds; its other letters stay where they are."""
    jobs.cancel(app_of(context), job, why)
