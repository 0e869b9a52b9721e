"""What a full account keeps: the proofs of two tests, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from reprise_cli.chaos.neighbours import ACCOUNT_FULL

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise_cli.chaos.proof import Proof

SHARE_IN_USE: Final = "ReservedFunctionConcurrentInvocationLimitExceeded"
"""Lambda API reference, Invoke: the reason of a 429 for the function's reserved concurrency."""
_REASONS: Final = {ACCOUNT_FULL: "the account was full", SHARE_IN_USE: "its own were all in use"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """What became of the calls while the account was full."""

    limit: int
    """The account's, in executions at once."""
    reserved: int
    """The invoker's own, in the second test."""
    shared: Proof
    """The invoker without a reservation."""
    own: Proof
    """The invoker with it."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what does not add up in either test, or kept it from showing anything."""
        return tuple(
            f"{name}: {problem}"
            for name, proof in (("shared", self.shared), ("its own", self.own))
            for problem in (*proof.problems, *_shows_nothing(proof))
        )

    @property
    def holds(self) -> bool:
        """Tell whether every call that was captured ended once."""
        return self.shared.holds and self.own.holds and not self.problems

    def document(self) -> dict[str, Any]:
        """Return the report for programs; its keys are a contract."""
        more = {"problems": list(self.problems)} if self.problems else {}
        return {
            "account_limit": self.limit,
            "invoker_reserved": self.reserved,
            "without_reservation": self.shared.document(),
            "with_reservation": self.own.document(),
            **more,
        }


def _shows_nothing(proof: Proof) -> list[str]:
    is_met = proof.captured or proof.refused
    return [] if is_met else ["every call was answered: none met a full account"]


def refused(proof: Proof) -> int:
    """Return how many calls the invoker itself was refused for."""
    return sum((proof.refused or {}).values())


def report_table(report: AccountReport) -> Table:
    """Return the report for people; it fits 80 columns."""
    title = f"ACCOUNT LIMIT {report.limit}: " + (
        "what was captured ended, once" if report.holds else "NOT PROVEN"
    )
    table = Table(title=title, title_style="bold green" if report.holds else "bold red")
    table.add_column("the invoker's concurrency")
    table.add_column("shared", justify="right")
    table.add_column(f"{report.reserved} its own", justify="right")
    table.add_column("who knows")
    rows: tuple[tuple[str, Callable[[Proof], int], str], ...] = (
        ("calls made", lambda proof: proof.calls, "this command"),
        ("REFUSED, kept nowhere", refused, "their callers: 429"),
        *(
            (f"  {words}", _by_reason(reason), "Lambda's Reason")
            for reason, words in _REASONS.items()
        ),
        ("answered directly", lambda proof: proof.direct, "the invoker's answers"),
        ("captured (202)", lambda proof: proof.captured, "the invoker's answers"),
        ("  succeeded by replay", lambda proof: proof.succeeded, "ledger and receipts"),
        ("  dead-lettered", lambda proof: proof.dead_lettered, "ledger and its queue"),
        ("  lost", lambda proof: proof.lost, "captured, no proven end"),
        ("executed twice", lambda proof: proof.executed_twice, "the target's receipts"),
    )
    for name, of, source in rows:
        table.add_row(name, f"{of(report.shared):,}", f"{of(report.own):,}", source)
    for problem in report.problems:
        table.add_row(Text("problem", "bold red"), "", "", Text(problem, "red"))
    return table


def _by_reason(reason: str) -> Callable[[Proof], int]:
    return lambda proof: (proof.refused or {}).get(reason, 0)


def lesson(report: AccountReport) -> str:
    """Return what the numbers say, in a sentence or two."""
    said = (
        f"A call that is refused at the invoker is not captured: {refused(report.shared):,} without a "
        f"reservation, {refused(report.own):,} with {report.reserved}. "
    )
    if (report.own.refused or {}).get(SHARE_IN_USE):
        said += f"More than {report.reserved} callers at once meet the reservation's own bound. "
    return said + "InvokerReservedConcurrency sets it; callers in the library need none."
