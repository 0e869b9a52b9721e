"""`reprise sources`: who may sign captured calls, and for which targets."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from reprise.aws.keys import secret_name
from reprise.errors import SettingsError
from reprise_cli.app import app_of
from reprise_cli.exits import CommandError
from reprise_cli.output import counted
from reprise_cli.sources.document import (
    check_name,
    check_targets,
    new_document,
    rotated,
    statements,
)
from reprise_cli.sources.roles import SourceRoles
from reprise_cli.sources.secrets import RECOVERY_DAYS, SourceSecrets

if TYPE_CHECKING:
    from reprise_cli.app import App

app = typer.Typer(
    help="Sources: each library user and decorated target signs with a key of its own.",
    no_args_is_help=True,
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of a source.")]
_KEY_BYTES = 32


@app.command("list")
def list_sources(context: typer.Context) -> None:
    """List the stack's sources, and what each may sign for."""
    reprise = app_of(context)
    found = _secrets_of(reprise).all()
    table = Table("source", "may sign for", title=counted(len(found), "source"))
    for source in found:
        table.add_row(source.name, source.problem or "\n".join(source.targets) or "nothing")
    reprise.out.show(table)
    documents = [
        {
            "name": source.name,
            "arn": source.arn,
            "targets": list(source.targets),
            "problem": source.problem,
        }
        for source in found
    ]
    reprise.out.result({"sources": documents})


@app.command("add")
def add_source(
    context: typer.Context,
    name: NameArgument,
    *,
    targets: Annotated[
        list[str],
        typer.Option(help="Function or job definition that it may sign for; again for more."),
    ],
    role: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE", help="Role of the caller, by name or ARN: is given what it needs."
        ),
    ] = None,
    has_keys: Annotated[
        bool,
        typer.Option(
            "--keys", help="Its calls have idempotency keys: let it claim them in the ledger."
        ),
    ] = False,
) -> None:
    """Make a source with a key of its own, and say what its role must be allowed, or allow it."""
    reprise = app_of(context)
    check_name(name)
    stack, store = reprise.stack, _secrets_of(reprise)
    allowed = stack.targets
    listed = [entry.strip() for text in targets for entry in text.split(",") if entry.strip()]
    arns = check_targets(listed, allowed)
    reprise.say_place()
    kms_key = store.key_of_stack()
    roles = _roles_of(reprise)
    role_name = None if role is None else roles.check(role)
    document = new_document(arns, secrets.token_hex(_KEY_BYTES))
    arn = store.add(name, document, kms_key, role_name)
    short = {"REPRISE_STACK": stack.name, "REPRISE_SOURCE": name}
    environment = {
        "REPRISE_STACK": stack.name,
        "REPRISE_TARGETS": ",".join(arns),
        "REPRISE_MAC_SECRET_ARN": arn,
        "REPRISE_BUCKET": stack.bucket,
        "REPRISE_LEDGER_TABLE": stack.ledger_table,
        "REPRISE_CAPTURE_LOG_GROUP": stack.capture_log_group,
        "REPRISE_CALL_TIMEOUT_S": stack.call_timeout_s,
        "REPRISE_POLICY_PARAMETER": stack.policy_parameter,
    }
    policy = statements(arn, stack, kms_key, has_keys=has_keys)
    # To be copied: no table would leave these whole.
    reprise.out.copyable(f"source {name} may sign for:", *(f"  {each}" for each in arns))
    if stack.callers_parameter is not None:
        reprise.out.copyable("its environment:", *_lines(short))
        reprise.out.copyable("or, where the stack is not to be asked:", *_lines(environment))
    else:
        reprise.out.copyable("its environment:", *_lines(environment))
    reprise.out.copyable("its role needs, beside what it has:", json.dumps(policy, indent=2))
    if role_name is not None:
        attached = roles.attach(role_name, name, policy)
        reprise.out.copyable(f"role {role_name} has that now, as its inline policy {attached}")
    reprise.out.result(
        {
            "name": name,
            "arn": arn,
            "targets": list(arns),
            "short_environment": short if stack.callers_parameter is not None else None,
            "environment": environment,
            "role": role_name,
            "statements": policy,
        }
    )


@app.command("rotate")
def rotate_source(context: typer.Context, name: NameArgument) -> None:
    """Give a source a new key; the one before stays valid until the next rotation."""
    reprise = app_of(context)
    store = _secrets_of(reprise)
    reprise.say_place()
    try:
        text, key_name = rotated(store.read(name), name, secrets.token_hex(_KEY_BYTES))
    except SettingsError as error:
        raise CommandError(
            "NAME", str(error), f"Correct the secret {secret_name(store.stack, name)!r} by hand"
        ) from error
    store.write(name, text)
    reprise.out.show(f"{name} signs with {key_name} within a minute")
    reprise.out.result({"name": name, "current": key_name})


@app.command("remove")
def remove_source(context: typer.Context, name: NameArgument) -> None:
    """Remove a source: within a minute nothing that it signed is believed, wherever it is."""
    reprise = app_of(context)
    check_name(name, is_new=False)
    reprise.say_place()
    store = _secrets_of(reprise)
    role = store.role_of(name)
    store.remove(name)
    if role is not None:
        # Last: as long as its secret is there, what it captures is to be kept.
        _roles_of(reprise).detach(role, name)
        reprise.out.show(f"role {role} has its statements no more")
    reprise.out.show(
        f"{name} is removed; its secret can be restored for {RECOVERY_DAYS} days. "
        "Calls of its that wait go to quarantine"
    )
    reprise.out.result({"name": name, "recovery_days": RECOVERY_DAYS, "role": role})


def _lines(environment: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def _roles_of(reprise: App) -> SourceRoles:
    return SourceRoles(client=reprise.aws.iam, stack=reprise.stack.name)


def _secrets_of(reprise: App) -> SourceSecrets:
    return SourceSecrets(client=reprise.aws.secrets, stack=reprise.stack.name)
