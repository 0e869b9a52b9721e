"""`reprise doctor`: look at a deployed stack, and say what is wrong with it and what to do."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reprise.aws.keys import SecretKeyring
from reprise.capturing.signature import OPERATOR
from reprise.errors import RepriseError
from reprise.instant import utc_now
from reprise_cli.app import app_of
from reprise_cli.doctor.check import CheckStatus, diagnose
from reprise_cli.doctor.checks import CHECKS
from reprise_cli.doctor.reading.reader import Reader
from reprise_cli.doctor.report import (
    NoKeysError,
    check_report,
    document_of,
    masked,
    read_report,
    sealed,
)
from reprise_cli.doctor.view import show
from reprise_cli.exits import CommandError, ExitCode, UsageError, explain

if TYPE_CHECKING:
    from reprise.capturing.signature import MacKeys
    from reprise_cli.app import App

_ADDONS: Final = ("batch", "endpoint", "replies")
"""Looked at beside the stack, where they are called as we propose; `schedules` as its option says."""


def doctor(
    context: typer.Context,
    *,
    caller: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FUNCTION",
            help="Look at this function as a caller, too; again for more. Those with the endpoint's or "
            "the plugin's variable are found.",
        ),
    ] = None,
    drift: Annotated[
        bool,
        typer.Option(
            "--drift",
            help="Let CloudFormation compare each resource with the template: a minute or two.",
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write what was found, for an issue: no payload, no key; accounts, mail and web addresses "
            "are masked, names stay. Signed with the stack's operator key, if you may read it: that tells "
            "the stack's operators that one of them made it, and others nothing; its digest tells all "
            "that it is whole.",
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Only tell whether a report is whole, and who made it."),
    ] = None,
) -> None:
    """Say what is wrong with the stack and what to do; exit code 1 if anything is.

    It only reads. What it may not read, or what no look decides, it says, and that is no problem.
    """
    reprise = app_of(context)
    if check is not None:
        if caller or drift or report is not None:
            raise UsageError("--check", "stands alone", "Leave the other options out")
        _check(reprise, check)
        return
    schedules = reprise.options.schedules_name
    stack = reprise.options.stack_name
    reader = Reader(
        aws=reprise.aws,
        stack=stack,
        addons=(schedules, *(f"{stack}-{addon}" for addon in _ADDONS)),
        now=utc_now,
        wait=time.sleep,
    )
    with reprise.out.progress("looking at the stack"):
        facts = reader.read(callers=tuple(caller or ()), looks_for_drift=drift)
    diagnosis = diagnose(CHECKS, facts)
    for each in show(facts, diagnosis, reprise.out.people.width):
        reprise.out.show(each)
    document = document_of(facts, diagnosis, utc_now())
    if report is not None:
        _write(reprise, report, document)
    reprise.out.result(document)
    if diagnosis.of(CheckStatus.PROBLEM):
        raise typer.Exit(ExitCode.FAILED)


def _write(reprise: App, path: Path, document: dict[str, Any]) -> None:
    keys, why_not = _operator_keys(reprise)
    text = json.dumps(sealed(masked(document), keys, why_not), indent=1)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            "--report", f"{path} cannot be written: {error.strerror}", "Name another file"
        ) from error
    signed = "signed" if keys is not None else f"not signed: {why_not}"
    reprise.out.note(f"report: {path}, {signed}. Read it before you send it")


def _operator_keys(reprise: App) -> tuple[MacKeys | None, str]:
    """Return the keys of the stack's operators, or why there are none here."""
    try:
        keyring = SecretKeyring(reprise.aws.secrets, reprise.options.stack_name)
        return keyring.find(f"{OPERATOR}/"), ""
    except RepriseError as error:
        return None, str(error)
    except Exception as error:
        # Whatever keeps somebody from the stack is told of its report, and ends nothing.
        told = explain(error)
        if told is None:
            raise
        return None, told.message


def _check(reprise: App, path: Path) -> None:
    try:
        document = read_report(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("--check", f"{path} cannot be read: {error}", "Name a report") from error
    if document is None:
        raise CommandError(
            "--check", f"{path} is no report", "Name a file that `reprise doctor --report` wrote"
        )

    def find(key_id: str) -> MacKeys:
        del key_id
        stack = reprise.options.stack_name
        if document.get("stack") != stack:
            why = f"it is of stack {document.get('stack')!r}: add --stack-name"
            raise NoKeysError(why)
        keys, reason = _operator_keys(reprise)
        if keys is None:
            why = f"its operators' key is not to be had here: {reason}"
            raise NoKeysError(why)
        return keys

    found = check_report(document, find)
    reprise.out.show(f"whole: {'yes' if found.is_whole else 'no'}")
    reprise.out.show(f"signature: {found.signature.value}; {found.why}")
    reprise.out.result(asdict(found) | {"signature": found.signature.value})
    if not found.is_good:
        raise CommandError("--check", f"{path}: {found.why}", "Ask for the report again")
