"""Whether the stack came up as its template says, in an account that has room for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.check import Check, CheckGroup, Problem, one
from reprise_cli.doctor.mend import aws
from reprise_cli.doctor.traps import find_trap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise_cli.doctor.facts import Facts
    from reprise_cli.doctor.things import DriftFacts, LambdaLimits, StackFacts

FIRST: Final = "howto/first-deployment.md"
PUT_BACK: Final = "Put it back: docs/howto/doctor.md#put-back-what-the-template-made"
WELL: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_ROLLED_BACK: Final = frozenset({"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"})
FEW: Final = 100
"""Executions at once that must stay unreserved, and that a new account may not even have.
Source: Lambda developer guide, "Configuring reserved concurrency"."""
CLOCK_TOLERANCE_S: Final = 60.0
"""AWS refuses signatures that are five minutes off (IAM user guide, "Troubleshoot Signature Version 4")."""
_ENDED: Final = ("_COMPLETE", "_FAILED")


def _status(name: str, state: StackFacts, facts: Facts) -> Iterable[Problem]:
    # What a rollback deleted is told by the root; where the cause is in it, by itself, too.
    if state.status in WELL or (state.status == "DELETE_COMPLETE" and not state.why):
        return
    if not state.status.endswith(_ENDED):
        yield Problem(
            f"stack {name} is {state.status}", "Wait until that has ended, then ask again", FIRST
        )
        return
    traps = [find_trap(why) for why in state.why]
    why = f": {state.why[0]}" if state.why else ""
    mend, page = next((trap for trap in traps if trap is not None), _way_out(name, state, facts))
    yield Problem(f"stack {name} is {state.status}{why}", mend, page)


def _way_out(name: str, state: StackFacts, facts: Facts) -> tuple[str, str]:
    if state.status in _ROLLED_BACK:
        return "The last change was undone; correct it, then deploy again", FIRST
    if name == facts.stack:
        return "`reprise cleanup --dry-run`, `reprise cleanup`, then deploy again", FIRST
    return aws("cloudformation describe-stack-events", stack_name=name), FIRST


def _version(_: str, stated: str | None, facts: Facts) -> Iterable[Problem]:
    if stated is None:
        yield Problem(
            f"the stack does not say its version, so it is older than this command, "
            f"{facts.command_version}",
            f"Deploy version {facts.command_version}, or take the stack's own release of the command",
        )
    elif stated != facts.command_version:
        yield Problem(
            f"the stack is version {stated}, this command {facts.command_version}",
            "Deploy the newer release, or take the stack's own release of the command",
        )


def _clock(_: str, ahead_s: float, facts: Facts) -> Iterable[Problem]:
    del facts
    if abs(ahead_s) > CLOCK_TOLERANCE_S:
        way = "ahead of" if ahead_s > 0 else "behind"
        yield Problem(
            f"this machine's clock is {abs(ahead_s):.0f} s {way} AWS's",
            "Set the clock by NTP: AWS refuses signatures five minutes off, and ages told here are wrong",
        )


def _drift(name: str, drift: DriftFacts, facts: Facts) -> Iterable[Problem]:
    del facts
    if drift.status == "DRIFTED":
        what = ", ".join(drift.changed) or "`aws cloudformation describe-stack-resource-drifts`"
        yield Problem(
            f"stack {name} was changed by others: {what}",
            PUT_BACK,
        )


def _room(_: str, limits: LambdaLimits, facts: Facts) -> Iterable[Problem]:
    if limits.concurrent < FEW:
        yield Problem(
            f"the account runs {limits.concurrent} functions at once in {facts.region}",
            "Ask Service Quotas for `Concurrent executions`, 1000, before you send real traffic",
            FIRST,
        )
    elif limits.unreserved < FEW:
        yield Problem(
            f"{limits.unreserved} of {limits.concurrent} concurrent executions are unreserved: "
            "functions without a reservation share those",
            "Reserve less elsewhere, or give the invoker its own: InvokerReservedConcurrency",
            "runbooks/invoker-throttled.md",
        )


def _key(_: str, state: str | None, facts: Facts) -> Iterable[Problem]:
    if state is not None and state != "Enabled":
        yield Problem(
            f"customer key {facts.parameters.get('KmsKeyArn', '')} is {state}",
            "Enable it: bucket, queues, table, logs and secrets cannot be read without it",
        )


def _outputs(facts: Facts) -> dict[str, str | None]:
    return {"": facts.outputs.get("Version")}


_check: Final = partial(Check[Any], CheckGroup.DEPLOYMENT)

DEPLOYMENT_CHECKS: Final[tuple[Check[Any], ...]] = (
    _check(
        "stack-complete",
        "are the stack, its nested stacks and its add-ons complete?",
        FIRST,
        lambda facts: facts.stacks,
        _status,
        reads_all=False,
    ),
    _check(
        "clock",
        "does this machine's clock go as AWS's does?",
        FIRST,
        lambda facts: one(facts.clock_ahead_s),
        _clock,
        reads_all=False,
    ),
    _check(
        "version", "are stack and command of one version?", "howto/release.md", _outputs, _version
    ),
    _check(
        "drift",
        "has nobody changed what the template made?",
        "howto/doctor.md",
        lambda facts: facts.drift,
        _drift,
    ),
    _check(
        "account-room",
        "may the account run enough functions at once?",
        FIRST,
        lambda facts: one(facts.limits),
        _room,
    ),
    _check(
        "customer-key",
        "is the customer key enabled?",
        "reference/parameters.md",
        lambda facts: one(facts.key_state),
        _key,
    ),
)
