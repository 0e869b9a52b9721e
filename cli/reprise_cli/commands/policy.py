"""`reprise policy`: look at the rules of replaying, change them, and stop and start targets."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reprise.instant import utc_now
from reprise_cli.app import app_of
from reprise_cli.exits import CommandError, ExitCode, UsageError
from reprise_cli.output import counted
from reprise_cli.policy.document import (
    IN_FORCE,
    CheckedPolicy,
    assignment,
    changed,
    check,
    field_name,
    problem_of,
    rewritten,
    switched,
    target_named,
    unknown_targets,
)
from reprise_cli.policy.editor import edit, editor_of, run_editor
from reprise_cli.policy.parameter import PolicyParameter, Version
from reprise_cli.policy.pauses import EVERYTHING, describe, policy_watch, refuse_to_expire
from reprise_cli.policy.view import changes, history_table, plain, policy_table, said_by

if TYPE_CHECKING:
    from reprise_cli.app import App

app = typer.Typer(
    help="The rules of replaying: look, change, stop and start targets.", no_args_is_help=True
)

TargetArgument = Annotated[
    str, typer.Argument(help="Function, by name or ARN, or `default` for all without their own.")
]
OptionalTarget = Annotated[str | None, typer.Argument(metavar="[TARGET]", help="Function.")]
ReasonOption = Annotated[str, typer.Option(help="Why; the history and whoever looks are told.")]
AllOption = Annotated[bool, typer.Option("--all", help="The default and every target.")]
_GOES_ON = "what waited goes on within 10 s"
_STOPS = "replays stop within a minute; calls are captured as before, and wait"


@app.command("get")
def get_policy(context: typer.Context, target: OptionalTarget = None) -> None:
    """Show the document in force, or the policy that holds for one target; exit code 1 if it is not valid."""
    reprise = app_of(context)
    version = _parameter(reprise).read()
    state = policy_watch(reprise).look()
    paused = {name: pause.document() for name, pause in state.pauses.items()}
    out = reprise.out
    if target is None:
        out.copyable(version.text)
        out.note(f"version {version.number}, {version.at}, in {reprise.stack.policy_parameter}")
        for name, pause in state.pauses.items():
            out.warn(f"{name} is {pause}")
        checked = check(version.text, IN_FORCE)
        _warn_of_unknown(reprise, checked)
        out.result({"version": version.number, "document": checked.document, "paused": paused})
        return
    checked = check(version.text, IN_FORCE)
    name = target_named(target, _allowed(reprise), checked.document)
    policy = checked.book.for_target(name)
    sources = {field: said_by(checked.document, name, field) for field in plain(policy)}
    out.show(policy_table(policy, sources, f"policy of {name}, version {version.number}"))
    if name in state.pauses:
        out.warn(f"{name} is {state.pauses[name]}")
    out.result(
        {
            "version": version.number,
            "target": name,
            "policy": plain(policy),
            "said_by": sources,
            "paused": paused.get(name),
        }
    )


@app.command("set")
def set_fields(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="TARGET FIELD=VALUE...", help="What to set.")
    ] = None,
    *,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="A whole document instead; - for stdin.")
    ] = None,
    reason: ReasonOption = "",
) -> None:
    """Set fields of one target's policy, or the whole document from a file; refused if it is not valid."""
    reprise = app_of(context)
    given = words or []
    if (file is None) == (not given):
        raise UsageError("TARGET", "or --file must be given, and not both", "See --help")
    version = _parameter(reprise).read()
    if file is not None:
        _write(reprise, version, _read(file), f"set from a file{_because(reason)}")
        return
    target, *rest = given
    if not rest:
        raise UsageError("FIELD=VALUE", "is missing", "Write such as enabled=false")
    put = dict(assignment(text) for text in rest)
    document = check(version.text, IN_FORCE).document
    name = target_named(target, _allowed(reprise), document)
    after = json.dumps(changed(document, name, put))
    _write(reprise, version, after, f"set {name}{_because(reason)}")


@app.command("unset")
def unset_fields(
    context: typer.Context,
    target: TargetArgument,
    fields: Annotated[list[str], typer.Argument(metavar="FIELD...", help="What to leave out.")],
    *,
    reason: ReasonOption = "",
) -> None:
    """Leave fields out of one target's policy: what the default says holds for them again."""
    reprise = app_of(context)
    names = [field_name(field) for field in fields]
    version = _parameter(reprise).read()
    document = check(version.text, IN_FORCE).document
    name = target_named(target, _allowed(reprise), document)
    after = json.dumps(changed(document, name, {}, names))
    _write(reprise, version, after, f"unset {name}{_because(reason)}")


@app.command("validate")
def validate(
    context: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", help="A document, - for stdin; else the one in force."),
    ] = None,
) -> None:
    """Say whether a document is valid, and change nothing; exit code 1 if it is not."""
    reprise = app_of(context)
    if file is None:
        checked = check(_parameter(reprise).read().text, IN_FORCE)
        _warn_of_unknown(reprise, checked)
    else:
        checked = check(_read(file))
    targets = len(checked.document.get("targets", {}))
    reprise.out.show(f"valid: a default, and {counted(targets, 'target')} of its own rules")
    reprise.out.result({"valid": True, "document": checked.document})


@app.command("edit")
def edit_document(context: typer.Context, *, reason: ReasonOption = "") -> None:
    """Open the document in $VISUAL or $EDITOR; what is not valid is shown again with what is wrong."""
    reprise = app_of(context)
    version = _parameter(reprise).read()
    checked = edit(_pretty(version.text), partial(run_editor, editor_of(os.environ)))
    if checked is None:
        reprise.out.show("nothing was changed")
        reprise.out.result({"version": version.number, "changes": []})
        return
    _write(reprise, version, checked.text(), f"edit{_because(reason)}")


@app.command("pause")
def pause(
    context: typer.Context,
    target: OptionalTarget = None,
    *,
    every: AllOption = False,
    reason: ReasonOption = "",
) -> None:
    """Stop the replays of one target, or with --all of every one: calls are captured, and wait."""
    _switch(app_of(context), target, reason, every=every, is_on=False)


@app.command("resume")
def resume(
    context: typer.Context,
    target: OptionalTarget = None,
    *,
    every: AllOption = False,
    reason: ReasonOption = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Even if calls that grew too old are given up.")
    ] = False,
) -> None:
    """Let the replays of one target, or with --all of every one, go on within ten seconds."""
    _switch(app_of(context), target, reason, every=every, is_on=True, may_expire=yes)


@app.command("history")
def history(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Versions, at most.")] = 20,
) -> None:
    """Show who changed what, when and why; Systems Manager keeps the last hundred versions."""
    reprise = app_of(context)
    told = changes(_parameter(reprise).history())[:limit]
    reprise.out.show(history_table(told, f"versions of {reprise.stack.policy_parameter}"))
    reprise.out.result({"versions": told})


def _switch(
    reprise: App,
    target: str | None,
    reason: str,
    *,
    every: bool,
    is_on: bool,
    may_expire: bool = False,
) -> None:
    if every == (target is not None):
        raise UsageError("TARGET", "or --all must be given, and not both", "See --help")
    version = _parameter(reprise).read()
    checked = check(version.text, IN_FORCE)
    document = checked.document
    name = None if target is None else target_named(target, _allowed(reprise), document)
    if is_on and not may_expire:
        pauses = policy_watch(reprise).look().pauses
        ending = {each: pause for each, pause in pauses.items() if name in {None, each}}
        refuse_to_expire(ending, checked.book, utc_now())
    after = json.dumps(switched(document, name, is_on=is_on))
    verb = "resume" if is_on else "pause"
    done = _write(reprise, version, after, describe(verb, name, reason), is_told=False)
    what = f"{name or EVERYTHING} is {'resumed' if is_on else 'paused'}"
    if not done:
        reprise.out.show(f"{what} already: nothing was changed")
    else:
        reprise.out.show(f"{what}: {_GOES_ON if is_on else _STOPS}")


def _write(
    reprise: App, before: Version, text: str, why: str, *, is_told: bool = True
) -> list[str]:
    """Keep a document if it is valid and says something new; return what differs, and tell it."""
    checked = check(text)
    _warn_of_unknown(reprise, checked)
    was_valid = problem_of(before.text) is None
    lines = rewritten(before.text, checked.document)
    number = before.number
    if lines or not was_valid:
        reprise.say_place()
        number = _parameter(reprise).write(checked.text(), before, why)
        if not lines:
            lines = ["the document is valid again"]
    reprise.out.copyable(*(lines if lines or not is_told else ["nothing was changed"]))
    reprise.out.result(
        {"version": number, "changes": lines, "why": why if lines else "", "before": before.number}
    )
    return lines


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2)
    except ValueError:
        # To be mended as it is.
        return text


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CommandError(
            "FILE", f"{file} cannot be read: {error}", "Correct it", ExitCode.USAGE
        ) from error


def _allowed(reprise: App) -> list[str]:
    return list(reprise.stack.targets)


def _parameter(reprise: App) -> PolicyParameter:
    return PolicyParameter(client=reprise.aws.ssm, name=reprise.stack.policy_parameter)


def _warn_of_unknown(reprise: App, checked: CheckedPolicy) -> None:
    for name in unknown_targets(checked.document, _allowed(reprise)):
        reprise.out.warn(
            f"targets.{name}: the stack calls nothing of that name, so it changes nothing"
        )
