"""`reprise cost`: what captured calls, an outage and a stack at rest cost on AWS, reckoned offline."""

from __future__ import annotations

from typing import Annotated

import typer

from reprise_cli.app import app_of
from reprise_cli.cost.scenario import Scenario
from reprise_cli.duration import read_duration
from reprise_cli.exits import UsageError

_DEFAULT = Scenario()


def cost(
    context: typer.Context,
    *,
    calls: Annotated[int, typer.Option(help="Calls captured in the outage.")] = _DEFAULT.calls,
    outage: Annotated[str, typer.Option(help="How long it lasts: 20m, 3h.")] = "1h",
    payload_bytes: Annotated[
        int, typer.Option(help="Bytes of a call's payload.")
    ] = _DEFAULT.payload_bytes,
    reply_bytes: Annotated[
        int, typer.Option(help="Bytes of a late result.")
    ] = _DEFAULT.reply_bytes,
    targets: Annotated[
        int, typer.Option(help="Targets of the stack, all of them out.")
    ] = _DEFAULT.targets,
    memory_mb: Annotated[
        int, typer.Option(help="Memory of unpacker and replayer.")
    ] = _DEFAULT.memory_mb,
    failures: Annotated[
        float, typer.Option(help="Failed attempts of a call before the last one.")
    ] = _DEFAULT.failures,
    target_time: Annotated[
        str, typer.Option(help="How long a target takes for a replay.")
    ] = f"{_DEFAULT.target_s}s",
) -> None:
    """Say what it costs: list prices of us-east-1, counted requests; asks no AWS and needs no stack."""
    from reprise_cli.cost.view import document, show_cost  # noqa: PLC0415 - not for the help

    reprise = app_of(context)
    scenario = _scenario(
        calls=calls,
        outage_s=read_duration("--outage", outage),
        payload_bytes=payload_bytes,
        reply_bytes=reply_bytes,
        targets=targets,
        memory_mb=memory_mb,
        failures=failures,
        target_s=read_duration("--target-time", target_time),
    )
    for thing in show_cost(scenario):
        reprise.out.show(thing)
    reprise.out.result(document(scenario))


def _scenario(**values: float) -> Scenario:
    try:
        return Scenario(**values)  # type: ignore[arg-type] # whole numbers come from options that are
    except ValueError as error:
        option, _, rest = str(error).partition(" ")
        raise UsageError(option, rest, "Give a number in that range") from error
