"""Put a chaos test together for a deployed stack."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.call.target import resolve_target
from reprise.instant import utc_now
from reprise_cli.calling import InvokerClient
from reprise_cli.chaos.allowance import check_allowance
from reprise_cli.chaos.books import EvidenceReader, QueuedLetters
from reprise_cli.chaos.call import plan_calls
from reprise_cli.chaos.deadman import DeadMan
from reprise_cli.chaos.history import History
from reprise_cli.chaos.hold import Holder
from reprise_cli.chaos.load import Load, Script
from reprise_cli.chaos.nemeses import RESIZE, find_nemeses
from reprise_cli.chaos.nemesis import CONCURRENCY, SystemUnderTest
from reprise_cli.chaos.nemesis_runner import NemesisRunner
from reprise_cli.chaos.quiet import quiet_of
from reprise_cli.chaos.resubmit import Resubmitter
from reprise_cli.chaos.run import ChaosPlan, ChaosTest
from reprise_cli.chaos.traffic import LiveTraffic
from reprise_cli.chaos.view import ChaosView
from reprise_cli.exits import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from local_engine.control import Engine
    from reprise_cli.app import App
    from reprise_cli.stack import Schedules, Stack

_POISON_SHARE: Final = 100
"""One call in a hundred is poison unless said otherwise."""
_LARGE: Final = 5
_TIMEOUT_S: Final = 300.0
_TIMEOUT_PER_CALL_S: Final = 0.15
_HIDDEN_S: Final = 360.0
"""A message whose reader a nemesis killed comes again after its queue's visibility timeout, and only then
begin its attempts: 330 s of the capture queue, and 360 s of the replay queue for targets of 300 s."""
_CONCURRENCY: Final = 32
_DEAD_MAN_MARGIN_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosOptions:
    """What was asked for; None leaves it to the defaults."""

    calls: int = 2000
    hold_s: float = 20.0
    poison: int | None = None
    large: int | None = None
    concurrency: int | None = None
    work_ms: int = 0
    target: str | None = None
    receipts_table: str | None = None
    timeout_s: float | None = None
    is_drained: bool = False
    live_per_s: float | None = None
    control_s: float = 30.0
    restore_concurrency: int | None = None
    resubmit: float | None = None
    """Share of the captured calls that are repeated, from 0 to 1."""
    history: Path | None = None
    nemeses: tuple[str, ...] = ()

    @property
    def default_timeout_s(self) -> float:
        """Return how long the calls may take to end, where nobody says so."""
        hidden_s = _HIDDEN_S if self.nemeses else 0.0
        return _TIMEOUT_S + self.calls * _TIMEOUT_PER_CALL_S + hidden_s


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetUnderTest:
    """The function that a test holds, and where it writes its receipts."""

    function: str
    receipts_table: str


def find_quarry(
    stack: Stack, wishes: ChaosOptions, schedules: Schedules | None = None
) -> TargetUnderTest:
    """Return the function to hold.

    Raises:
        CommandError: If there is none, or it is the pipeline's own, or it writes no receipts.
        BadRequestError: If it is not an allowed target.
    """
    wanted = wishes.target or stack.chaos_target
    if wanted is None:
        raise UsageError(
            "--target",
            f"stack {stack.name!r} has no chaos target",
            "Deploy it with ChaosTarget=true, or name a target that writes receipts",
        )
    name = wanted.rpartition(":")[2]
    if name in stack.own_functions or (schedules and name in schedules.own_functions):
        raise UsageError(
            "--target",
            f"{name} is part of the pipeline: held, it could not replay anything",
            "Name a target",
        )
    target = resolve_target(wanted, stack.targets)
    own_table = stack.receipts_table if target.name == stack.chaos_target else None
    table = wishes.receipts_table or own_table
    if table is None:
        raise UsageError(
            "--receipts-table",
            f"{name} is not the stack's chaos target, so its receipts must be named",
            "Let it write receipts as functions/chaos_target does, and name their table",
        )
    return TargetUnderTest(function=target.name, receipts_table=table)


def own_engine(reprise: App) -> Engine | None:
    """Return the local engine, if the command goes to that of this machine's owner."""
    # Where the client goes in the end, whoever said so.
    engine, url = reprise.engine, reprise.aws.functions.meta.endpoint_url
    is_ours = engine.health() is not None and engine.url == url.rstrip("/")
    return engine if is_ours else None


def prepare(reprise: App, wishes: ChaosOptions) -> ChaosTest:
    """Return a test that is ready to run.

    Raises:
        CommandError: As `find_quarry`, or if the numbers do not fit.
    """
    stack, aws = reprise.stack, reprise.aws
    schedules = reprise.schedules_if_any if wishes.target else None
    quarry = find_quarry(stack, wishes, schedules)
    bound = wishes.restore_concurrency
    if bound is None and RESIZE in wishes.nemeses:
        bound = CONCURRENCY
    check_allowance(aws.functions, quarry.function, bound, reprise.out.note)
    history = History(wishes.history)
    runner = None
    if wishes.nemeses:
        system = SystemUnderTest(
            engine=own_engine(reprise),
            functions=aws.functions,
            pipeline=(stack.invoker, stack.unpacker, stack.replayer),
            target=quarry.function,
            ledger_table=stack.ledger_table,
            concurrency=bound or CONCURRENCY,
        )
        runner = NemesisRunner(nemeses=find_nemeses(wishes.nemeses, system), history=history)
    poison = max(1, wishes.calls // _POISON_SHARE) if wishes.poison is None else wishes.poison
    large = min(_LARGE, wishes.calls) if wishes.large is None else wishes.large
    try:
        calls = plan_calls(wishes.calls, poison=poison, large=large)
    except ValueError as error:
        raise UsageError(
            "--poison", str(error), "Ask for fewer of them, or for more calls"
        ) from error
    timeout_s = wishes.timeout_s or wishes.default_timeout_s
    plan = ChaosPlan(
        run=f"chaos-{utc_now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        calls=calls,
        hold_s=wishes.hold_s,
        timeout_s=timeout_s,
        control_s=wishes.control_s,
    )
    live = None
    if wishes.live_per_s is not None:
        live = LiveTraffic(
            calls=aws.calls,
            function=quarry.function,
            run=f"{plan.run}-live",
            rate_per_s=wishes.live_per_s,
            work_ms=wishes.work_ms,
            clock=utc_now,
        )
    door = InvokerClient(aws.calls, stack.invoker)
    script = Script(
        run=plan.run,
        target=quarry.function,
        work_ms=wishes.work_ms,
        has_keys=wishes.resubmit is not None,
    )
    again = None
    if wishes.resubmit is not None:
        again = Resubmitter(door=door, script=script, share=wishes.resubmit)
    return ChaosTest(
        plan=plan,
        holder=Holder(
            functions=aws.functions,
            calls=aws.calls,
            function=quarry.function,
            dead_man=DeadMan(
                aws.scheduler,
                stack.scheduler_role_arn,
                after_s=wishes.control_s + wishes.hold_s + timeout_s + _DEAD_MAN_MARGIN_S,
                clock=utc_now,
                tell=reprise.out.note,
            ),
            bound=bound,
        ),
        load=Load(door, script, wishes.concurrency or _CONCURRENCY, history),
        books=EvidenceReader(
            client=aws.dynamodb,
            ledger_table=stack.ledger_table,
            receipts_table=quarry.receipts_table,
        ),
        letters=QueuedLetters(
            client=aws.sqs, url=stack.dead_letter_queue_url, is_drained=wishes.is_drained
        ),
        queues=quiet_of(
            aws.sqs, capture_url=stack.capture_queue_url, replay_url=stack.replay_queue_url
        ),
        view=ChaosView(reprise.out),
        clock=utc_now,
        live=live,
        again=again,
        history=history,
        nemeses=runner,
    )
