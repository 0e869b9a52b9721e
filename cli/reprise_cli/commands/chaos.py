"""`reprise chaos`: hold a target at concurrency 0, make calls, let go, and prove the promise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reprise_cli.app import app_of
from reprise_cli.aws import MAX_CONNECTIONS
from reprise_cli.chaos.account import run_account
from reprise_cli.chaos.account_report import lesson, report_table
from reprise_cli.chaos.check_view import result_table
from reprise_cli.chaos.checker import CheckResult, HistoryError
from reprise_cli.chaos.checker import check as read_history
from reprise_cli.chaos.nemeses import NAMES, read_names
from reprise_cli.chaos.setup import ChaosOptions, prepare
from reprise_cli.chaos.view import proof_table
from reprise_cli.duration import read_duration
from reprise_cli.exits import CommandError, ExitCode, UsageError
from reprise_cli.output import counted

if TYPE_CHECKING:
    from reprise_cli.app import App
    from reprise_cli.chaos.account_report import AccountReport
    from reprise_cli.chaos.proof import Proof


def chaos(
    context: typer.Context,
    *,
    calls: Annotated[int, typer.Option(min=1, help="Calls to make.")] = 2000,
    hold: Annotated[str, typer.Option(help="Hold the target at least that long.")] = "20s",
    poison: Annotated[
        int | None, typer.Option(min=0, help="Calls that always fail. (default: 1 in 100)")
    ] = None,
    large: Annotated[
        int | None, typer.Option(min=0, help="Calls that need a claim check. (default: 5)")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_CONNECTIONS,
            help="Calls made at the same time. (default: 32, or the invoker's own in a full account)",
        ),
    ] = None,
    work_ms: Annotated[int, typer.Option(min=0, help="Time the target takes for a call.")] = 0,
    target: Annotated[
        str | None, typer.Option(help="Function to hold. (default: the stack's chaos target)")
    ] = None,
    receipts_table: Annotated[
        str | None, typer.Option(help="Where that function writes its receipts.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(help="Wait that long for all calls to end. (default: scaled)")
    ] = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="Take this test's dead letters away at the end.")
    ] = False,
    live: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Live calls a second beside the replay; says what replay costs them."
        ),
    ] = None,
    control: Annotated[
        str,
        typer.Option(help="Live traffic alone for that long first, to compare; 5 s warm it up."),
    ] = "30s",
    restore_concurrency: Annotated[
        int | None,
        typer.Option(
            min=1, help="Reserved concurrency of the target in this test; --live needs it."
        ),
    ] = None,
    account_limit: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=100,
            help="Local engine only: fill an account that runs so many at once, in place of the hold.",
        ),
    ] = None,
    resubmit: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="Share of the captured calls that their callers repeat, with the same key: 10%.",
        ),
    ] = None,
    nemesis: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME]",
            help=f"Disturb the system meanwhile: {', '.join(NAMES)}. Needs --history.",
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, help="Write down what happens, and have it checked."
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Run nothing: judge a run from its history alone.",
        ),
    ] = None,
) -> None:
    """Prove on a live stack that nothing is lost and nothing runs twice; exit code 1 if not so."""
    if check is not None:
        show_result(context, check)
        return
    if history is not None and not _may_write(history):
        raise UsageError("--history", f"{history} cannot be written", "Name another file")
    if nemesis is not None and history is None:
        raise UsageError(
            "--nemesis", "what it brings about is judged from a history", "Name a file by --history"
        )
    if live is not None and restore_concurrency is None:
        raise UsageError(
            "--restore-concurrency",
            "live calls and replays contend for nothing in a target without reserved concurrency",
            "Name the concurrency that they are to share, such as 10",
        )
    if account_limit is not None and (restore_concurrency or resubmit or history):
        raise UsageError(
            "--account-limit",
            "a full account holds the target; --restore-concurrency, --live, --resubmit and --history "
            "are for one that is held by itself",
            "Ask for one of them",
        )
    wishes = ChaosOptions(
        calls=calls,
        hold_s=read_duration("--hold", hold),
        poison=poison,
        large=large,
        concurrency=concurrency,
        work_ms=work_ms,
        target=target,
        receipts_table=receipts_table,
        timeout_s=None if timeout is None else read_duration("--timeout", timeout),
        is_drained=drain,
        live_per_s=live,
        control_s=read_duration("--control", control),
        restore_concurrency=restore_concurrency,
        resubmit=None if resubmit is None else _share("--resubmit", resubmit),
        history=history,
        nemeses=() if nemesis is None else read_names(nemesis),
    )
    reprise = app_of(context)
    reprise.say_place()
    proof: Proof | AccountReport
    if account_limit is None:
        proof = run_chaos(reprise, wishes)
    else:
        proof = show_account(reprise, wishes, account_limit)
    document, holds = proof.document(), proof.holds
    if history is not None:
        result = result_of(history)
        reprise.out.people.print(result_table(result))
        document["history"] = result.document()
        holds = holds and result.holds
    reprise.out.result(document)
    if not holds:
        raise typer.Exit(ExitCode.FAILED)


def show_result(context: typer.Context, path: Path) -> None:
    """Judge a history, and show what it shows."""
    out, result = app_of(context).out, result_of(path)
    out.people.print(result_table(result))
    out.result(result.document())
    if not result.holds:
        raise typer.Exit(ExitCode.FAILED)


def result_of(path: Path) -> CheckResult:
    """Return what a history shows.

    Raises:
        CommandError: If it is none, or of a run that was not seen to its end.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return read_history(file)
    except HistoryError as error:
        raise CommandError(
            str(path), str(error), "It proves nothing: run the test again"
        ) from error


def run_chaos(reprise: App, wishes: ChaosOptions) -> Proof:
    """Run a test, show it and its proof, and return the proof."""
    test = prepare(reprise, wishes)
    reprise.out.note(f"test {test.plan.run}: {len(test.plan.calls)} calls")
    try:
        proof = test.run()
    except KeyboardInterrupt:
        reprise.out.note("interrupted: the target is let go, and what was captured is replayed")
        raise
    reprise.out.people.print(proof_table(proof))
    _tell_of_letters(reprise, wishes, proof.dead_lettered)
    return proof


def show_account(reprise: App, wishes: ChaosOptions, limit: int) -> AccountReport:
    """Fill the account twice, show what was kept, and return it."""
    try:
        report = run_account(reprise, wishes, limit)
    except KeyboardInterrupt:
        reprise.out.note(
            "interrupted: the account has its limit back, what was captured is replayed"
        )
        raise
    reprise.out.people.print(report_table(report))
    reprise.out.people.print(lesson(report))
    _tell_of_letters(reprise, wishes, report.shared.dead_lettered + report.own.dead_lettered)
    return report


def _tell_of_letters(reprise: App, wishes: ChaosOptions, count: int) -> None:
    if count and not wishes.is_drained:
        reprise.out.note(
            f"{counted(count, 'dead letter')} left in the queue: `reprise dlq list` "
            "(--drain takes them away)"
        )


def _share(option: str, text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:  # noqa: PLR2004 - per cent
        raise UsageError(option, f"{text} is no share above 0 %", "Say for example 10%")
    return percent / 100


def _may_write(path: Path) -> bool:
    try:
        return os.access(path if path.exists() else path.parent, os.W_OK)
    except (OSError, ValueError):
        # A name that is too long, or none.
        return False
