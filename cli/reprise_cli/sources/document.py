"""Key documents of sources, and what goes with them: pure rules."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from reprise.call.target import is_allowed, resolve_target
from reprise.capturing.signature import SOURCE_NAME, STACK_SOURCES, MacKeys
from reprise.errors import BadRequestError
from reprise_cli.exits import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.stack import Stack

_NUMBERED: Final = re.compile(r"k([0-9]{1,9})")


def check_name(name: str, *, is_new: bool = True) -> None:
    """Accept a name that a source may have, or that one made here has.

    Raises:
        CommandError: If not.
    """
    if not SOURCE_NAME.fullmatch(name):
        raise UsageError(
            "NAME",
            f"{name!r} is no name of a source",
            "Take 1 to 64 letters, digits, hyphens and underscores, a letter or digit first",
        )
    if name in STACK_SOURCES:
        next_step = "Choose another name" if is_new else "It goes with the stack"
        raise UsageError("NAME", f"{name!r} comes with the stack", next_step)


def check_targets(targets: Sequence[str], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ARNs of the targets that a source may sign for.

    Args:
        targets: Names or ARNs of functions, ARNs of job definitions; a trailing `*` stands for all that begin
            so, and `*` alone for all functions.
        allowed: The stack's Targets, which bound the source in any case.

    Raises:
        CommandError: If there is none, or the stack allows one of them not at all.
    """
    if not targets:
        raise UsageError("--targets", "names none", "Say for which: --targets orders")
    return tuple(_complete(target, allowed) for target in targets)


def _complete(target: str, allowed: tuple[str, ...]) -> str:
    prefix = target.removesuffix("*")
    if target == "*" or (target in allowed) or (target != prefix and _meets(prefix, allowed)):
        return target
    if target.startswith("arn:") and is_allowed(target, allowed):
        return target
    try:
        return resolve_target(target, allowed).function
    except BadRequestError as error:
        raise CommandError(
            "--targets",
            f"{target!r} is nothing that this stack may call",
            "Add it to Targets and deploy again, or correct it",
        ) from error


def _meets(prefix: str, allowed: tuple[str, ...]) -> bool:
    """Tell whether anything that begins so is allowed."""
    return is_allowed(prefix, allowed) or any(entry.startswith(prefix) for entry in allowed)


def new_document(targets: Sequence[str], key: str) -> str:
    """Return the first key document of a source."""
    return json.dumps({"current": "k1", "k1": key, "targets": list(targets)})


def rotated(text: str, source: str, key: str) -> tuple[str, str]:
    """Return a key document with a new current key, and that key's name.

    The key before stays valid until the next rotation, for what is on its way; older ones go.

    Raises:
        SettingsError: If the document is none that anybody accepts.
    """
    MacKeys.from_secret(text, source)
    document: dict[str, Any] = json.loads(text)
    before = document["current"]
    numbers = [int(match[1]) for name in document if (match := _NUMBERED.fullmatch(name))]
    name = f"k{max(numbers, default=0) + 1}"
    kept = {"current": name, name: key, before: document[before]}
    return json.dumps(kept | {"targets": document.get("targets", [])}), name


def statements(
    secret_arn: str, stack: Stack, kms_key: str | None, *, has_keys: bool = False
) -> list[dict[str, Any]]:
    """Return what a source's role must be allowed.

    To read its key and what the stack says, to keep payloads that fit no line, and to write lines into the
    capture log group.

    Args:
        secret_arn: Of the source.
        stack: That it belongs to.
        kms_key: Customer key of the stack, if any.
        has_keys: Whether its calls have idempotency keys of their own: these are claimed in the ledger, and
            their late results are kept and read (docs/adr/0023).
    """
    partition, _, region, account = secret_arn.split(":")[1:5]
    bucket, log_group = f"arn:{partition}:s3:::{stack.bucket}", stack.capture_log_group
    parameters = [each for each in (stack.callers_parameter, stack.policy_parameter) if each]
    wanted: list[dict[str, Any]] = [
        {
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": secret_arn,
        },
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": f"{bucket}/payloads/*",
        },
        {
            "Effect": "Allow",
            "Action": "ssm:GetParameter",
            "Resource": [
                f"arn:{partition}:ssm:{region}:{account}:parameter{name}" for name in parameters
            ],
        },
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            # The first action is the group's, the second its streams' (Service Authorization Reference).
            "Resource": [
                f"arn:{partition}:logs:{region}:{account}:log-group:{log_group}{part}"
                for part in ("", ":*")
            ],
        },
    ]
    if has_keys:
        wanted += [
            {
                "Effect": "Allow",
                "Action": [
                    f"dynamodb:{each}"
                    for each in ("GetItem", "PutItem", "UpdateItem", "DeleteItem")
                ],
                "Resource": f"arn:{partition}:dynamodb:{region}:{account}:table/{stack.ledger_table}",
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": f"{bucket}/results/*",
            },
            # Without it S3 answers 403 for an object that is gone (S3 API reference, GetObject, Permissions).
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": bucket,
                "Condition": {"StringLikeIfExists": {"s3:prefix": "results/*"}},
            },
        ]
    if kms_key is not None:
        wanted.append(
            {
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": kms_key,
            }
        )
    return wanted
