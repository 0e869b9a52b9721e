"""Fill the account, and show which calls are kept: with and without room of the invoker's own.

Only on the local engine: on AWS the account's limit is a quota, and others live in it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from reprise_cli.calling import InvokerClient
from reprise_cli.chaos.account_report import AccountReport
from reprise_cli.chaos.allowance import read_allowance
from reprise_cli.chaos.load import Load, Script
from reprise_cli.chaos.neighbours import Neighbours
from reprise_cli.chaos.setup import own_engine, prepare
from reprise_cli.chaos.view import ChaosView
from reprise_cli.exits import UsageError
from reprise_cli.interrupt import uninterruptible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_lambda import LambdaClient

    from local_engine.control import Engine
    from reprise_cli.app import App
    from reprise_cli.chaos.allowance import Allowance
    from reprise_cli.chaos.proof import Proof
    from reprise_cli.chaos.setup import ChaosOptions


class AccountLimits(Protocol):
    """An account whose concurrency is ours to limit."""

    def limit(self, concurrency: int, /) -> None:
        """Let so many executions run at once."""

    def lift(self) -> None:
        """Let it have what it had."""


@dataclass(frozen=True, slots=True)
class EngineAccount:
    """The local engine's."""

    engine: Engine

    def limit(self, concurrency: int, /) -> None:
        """Let so many executions run at once."""
        self.engine.admin("POST", "account", {"limit": concurrency})

    def lift(self) -> None:
        """Let it have AWS's default."""
        self.engine.admin("DELETE", "account")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHold:
    """Holds the account full; the target is refused with all others."""

    functions: LambdaClient
    invoker: str
    reserved: int | None
    """The invoker's reserved concurrency inside; None lets it share the account's."""
    account: AccountLimits
    concurrency: int
    neighbours: Neighbours

    @property
    def phases(self) -> tuple[str, str, str]:
        """Return what people are told before the hold, in it, and after it."""
        whose = (
            "the invoker shares them" if self.reserved is None else f"{self.reserved} the invoker's"
        )
        return (
            f"filling the account: {self.concurrency} at once, {whose}",
            "the account is full: making calls",
            "the account has room again: watching the ledger",
        )

    def bounded(self) -> AbstractContextManager[None]:
        """Change nothing of the target."""
        return nullcontext()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the account full inside, and give all of it back whatever happens.

        Raises:
            CommandError: If the account does not get full.
        """
        saved = self.functions.get_function_concurrency(FunctionName=self.invoker)
        try:
            self._reserve(self.reserved)
            self.account.limit(self.concurrency)
            with self.neighbours.filling():
                yield
        finally:
            with uninterruptible():
                # Before the reservation: a small account would refuse it.
                self.account.lift()
                self._reserve(saved.get("ReservedConcurrentExecutions"))

    def _reserve(self, reserved: int | None) -> None:
        if reserved is None:
            self.functions.delete_function_concurrency(FunctionName=self.invoker)
        else:
            self.functions.put_function_concurrency(
                FunctionName=self.invoker, ReservedConcurrentExecutions=reserved
            )


def account_of(reprise: App) -> AccountLimits:
    """Return the account of the local engine that the command goes to.

    Raises:
        CommandError: If it goes anywhere else.
    """
    if (engine := own_engine(reprise)) is not None:
        return EngineAccount(engine)
    url = reprise.aws.functions.meta.endpoint_url
    raise UsageError(
        "--account-limit",
        f"the account at {url} is not ours to limit: on AWS that is a quota, and others use it",
        "Try it on the local engine of this machine: `reprise local up`, then `reprise local deploy`",
    )


def share_of(allowance: Allowance, limit: int) -> int:
    """Return the invoker's reservation in the second test: what it has, or half of the account.

    Raises:
        CommandError: If nothing would be left for functions without a reservation.
    """
    share = allowance.own or limit // 2
    others = allowance.reserved_by_others
    if limit - others - share >= 1:
        return share
    least = others + 1 + (allowance.own or others)
    raise UsageError(
        "--account-limit",
        f"of {limit}, {share} are the invoker's and {others} reserved by others: none is left to share",
        f"Name {least} or more",
    )


def run_account(reprise: App, wishes: ChaosOptions, limit: int) -> AccountReport:
    """Fill the account twice, the invoker without and with room of its own; return what became of the calls.

    Raises:
        CommandError: As `account_of`, `share_of` and `prepare`, or if the account does not get full.
    """
    account = account_of(reprise)
    # A test that was killed may have left it small.
    account.lift()
    allowance = read_allowance(reprise.aws.functions, reprise.stack.invoker)
    share = share_of(allowance, limit)
    wishes = replace(wishes, concurrency=wishes.concurrency or share)
    test = prepare(reprise, wishes)
    reprise.out.note(f"test {test.plan.run}: {len(test.plan.calls)} calls, twice, each sent once")

    def proof_with(name: str, reserved: int | None) -> Proof:
        """Fill the account once; the receipts have a name of their own."""
        run = f"{test.plan.run}-{name}"
        script: Script = replace(test.load.script, run=run)
        # No patience: who waits a 429 out sees no refusal.
        door = InvokerClient(reprise.aws.calls, reprise.stack.invoker, patience_s=0.0)
        hold = AccountHold(
            functions=reprise.aws.functions,
            invoker=reprise.stack.invoker,
            reserved=reserved,
            account=account,
            concurrency=limit,
            neighbours=Neighbours(
                calls=reprise.aws.calls,
                function=script.target,
                run=f"{run}-others",
                room=limit - allowance.reserved_by_others - (reserved or 0),
            ),
        )
        return replace(
            test,
            plan=replace(test.plan, run=run, may_refuse=True),
            holder=hold,
            load=Load(door, script, wishes.concurrency or share),
            view=ChaosView(reprise.out),
        ).run()

    shared, own = proof_with("shared", None), proof_with("own", share)
    return AccountReport(limit=limit, reserved=share, shared=shared, own=own)
