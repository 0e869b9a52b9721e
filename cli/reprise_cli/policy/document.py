"""The policy document as an operator changes it: pure rules on its JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches, ndiff
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from reprise.errors import PolicyError
from reprise.retry.policy import NEW_NAMES, Policy, PolicyBook, read_policy_document, with_new_names
from reprise_cli.exits import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEFAULT: Final = "default"
"""What the policy of all targets is called that have none of their own."""
FIELDS: Final = Policy.__struct_fields__
LISTS: Final = frozenset({"replay_on", "non_retryable_error_types", "capture_on"})
MAX_CHARACTERS: Final = 4096
"""Of a parameter of the standard tier (Systems Manager user guide, "Managing parameter tiers")."""
_FOR_READERS: Final = ". Correct the SSM parameter"
_FIX: Final = "Correct it, then try again; docs/reference/policy.md has each field"
IN_FORCE: Final = "`reprise policy edit` mends it; docs/reference/policy.md has each field"
"""The next step where it is the stack's own document that is not valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPolicy:
    """A valid document."""

    document: dict[str, Any]
    book: PolicyBook

    def text(self) -> str:
        """Return it as it is kept: for people, if a parameter has room for that.

        Raises:
            CommandError: If it has no room at all.
        """
        for settings in ({"indent": 2}, {"separators": (",", ":")}):
            text = json.dumps(self.document, **settings)
            if len(text) <= MAX_CHARACTERS:
                return text
        raise CommandError(
            "policy",
            f"the document would have {len(text):,} characters, and may have {MAX_CHARACTERS:,}",
            "Move what many targets share into `default`",
        )


def check(text: str, fix: str = _FIX) -> CheckedPolicy:
    """Return a document that every reader takes.

    Args:
        text: The document.
        fix: The next step if it is not valid.

    Raises:
        CommandError: Naming the field at fault, if it is not valid.
    """
    try:
        book = read_policy_document(text)
        document: dict[str, Any] = json.loads(text, object_pairs_hook=_once)
    except PolicyError as error:
        raise _explained(str(error), fix) from error
    return CheckedPolicy(document=document, book=book)


def problem_of(text: str) -> str | None:
    """Return why a document's readers do not take it, in the words of `check`; None if they do."""
    try:
        read_policy_document(text)
    except PolicyError as error:
        told = _explained(str(error), _FIX)
        return told.message if told.field == "policy" else f"{told.field}: {told.message}"
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that is given twice: JSON would take the last, and nobody would see it."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            msg = f"{name}: is given twice"
            raise PolicyError(msg)
        found[name] = value
    return found


def _explained(message: str, fix: str) -> CommandError:
    message = message.removesuffix(_FOR_READERS)
    path, colon, said = message.partition(": ")
    field = path if colon and " " not in path else "policy"
    wrong = said if field == path else message
    parts = wrong.partition(" - at `$.")
    if parts[1]:
        field, wrong = f"{field}.{parts[2].rstrip('`').partition('[')[0]}", parts[0]
    for quote in "`'":
        _, marked, rest = wrong.partition(f"unknown field {quote}")
        if marked:
            name = rest.partition(quote)[0]
            return CommandError(
                f"{field}.{name}", "is no field of a policy", f"{_near(name)} {fix}"
            )
    return CommandError(field, wrong, fix)


def _near(name: str) -> str:
    near = get_close_matches(name, (*FIELDS, *NEW_NAMES), 1)
    return f"Did you mean {near[0]}?" if near else f"There are {', '.join(FIELDS)}."


# --- Targets ------------------------------------------------------------------------------------------


def short_name(arn: str) -> str:
    """Return the name by which the document knows a target."""
    return arn.strip().rpartition(":")[2]


def target_named(text: str, allowed: Sequence[str], document: Mapping[str, Any]) -> str:
    """Return the name that the document has for a target that the stack may call, or names already.

    Raises:
        CommandError: If there is none such: a policy of that name would change nothing.
    """
    name = short_name(text)
    names = [short_name(arn) for arn in allowed]
    if name == DEFAULT or name in document.get("targets", {}):
        return name
    if any(fnmatchcase(name, pattern) for pattern in names):
        return name
    near = get_close_matches(name, names, 1)
    hint = f"Did you mean {near[0]}?" if near else f"It may call {', '.join(names)}"
    raise CommandError("TARGET", f"{name!r} is nothing that this stack may call", hint)


def unknown_targets(document: Mapping[str, Any], allowed: Sequence[str]) -> list[str]:
    """Return targets that the document names and the stack may not call: likely typing errors."""
    names = [short_name(arn) for arn in allowed]
    return sorted(
        name
        for name in document.get("targets", {})
        if not any(fnmatchcase(name, pattern) for pattern in names)
    )


# --- Changes ------------------------------------------------------------------------------------------


def assignment(text: str) -> tuple[str, Any]:
    """Return field and value of `field=value`; the value is JSON, or a word, or words with commas.

    Raises:
        UsageError: If it is none, or names no field.
    """
    name, equals, value = text.partition("=")
    name = field_name(name.strip(), "FIELD=VALUE")
    if not equals:
        raise UsageError(name, "has no value", f"Write {name}=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        if name in LISTS:
            return name, [word.strip() for word in value.split(",") if word.strip()]
        return name, value


def field_name(name: str, what: str = "FIELD") -> str:
    """Return a field's present name.

    Raises:
        UsageError: If a policy has no such field.
    """
    name = NEW_NAMES.get(name, name)
    if name not in FIELDS:
        raise UsageError(what, f"{name!r} is no field of a policy", _near(name))
    return name


def changed(
    document: Mapping[str, Any], target: str, put: Mapping[str, Any], drop: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the document with fields of one target's policy, or of the default, set and dropped."""
    targets = dict(document.get("targets", {}))
    found = document.get(DEFAULT, {}) if target == DEFAULT else targets.get(target, {})
    # By its present name: beside an old one that stayed, nobody could tell which is meant.
    fields = {**with_new_names(found, target, is_told=False), **put}
    kept = {name: value for name, value in fields.items() if name not in drop}
    if target == DEFAULT:
        return {**document, DEFAULT: kept, "targets": targets}
    if kept or put:
        targets[target] = kept
    else:
        targets.pop(target, None)
    return {DEFAULT: {}, **document, "targets": targets}


def switched(document: Mapping[str, Any], target: str | None, *, is_on: bool) -> dict[str, Any]:
    """Return the document with one target, or the default and every target, paused or resumed."""
    default_on = document.get(DEFAULT, {}).get("enabled", True)
    if target is not None and target != DEFAULT:
        says = {} if default_on == is_on else {"enabled": is_on}
        return changed(document, target, says, () if says else ("enabled",))
    put, drop = ({}, ("enabled",)) if is_on else ({"enabled": False}, ())
    after = changed(document, DEFAULT, put, drop)
    for name, fields in document.get("targets", {}).items() if target is None else ():
        if "enabled" in fields:
            after = changed(after, name, {}, ("enabled",))
    return after


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what differs between two documents, a line a field."""
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        f"{path}: {_said(old, path)} -> {_said(new, path)}"
        for path in sorted(old.keys() | new.keys())
        if _said(old, path) != _said(new, path)
    ]


def rewritten(before: str, after: Mapping[str, Any]) -> list[str]:
    """Return what differs between a text, which may be no document at all, and a document.

    A line a field, if it was JSON; else a line a line of the text.
    """
    try:
        old = json.loads(before)
    except (ValueError, RecursionError):
        old = None
    if isinstance(old, dict):
        return differences(old, after)
    new = json.dumps(after, indent=2).splitlines()
    return [line for line in ndiff(before.splitlines(), new) if line.startswith(("+", "-"))]


def _flat(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    # What is no document yet has sections that nobody knows.
    sections = {DEFAULT: {}, **{n: fields for n, fields in document.items() if n != "targets"}}
    targets = document.get("targets", {})
    if isinstance(targets, dict):
        sections |= {f"targets.{name}": fields for name, fields in targets.items()}
    else:
        sections["targets"] = targets
    for path, fields in sections.items():
        if isinstance(fields, dict):
            yield from ((f"{path}.{name}", value) for name, value in fields.items())
        else:
            yield path, fields


def _said(flat: Mapping[str, Any], path: str) -> str:
    return json.dumps(flat[path]) if path in flat else "not said"
