"""The function a call is meant for: how callers may name it, and whether it may be invoked."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from reprise.errors import BadRequestError

_NAME: Final = r"[A-Za-z0-9_-]{1,140}"
_QUALIFIER: Final = r"\$LATEST(?:\.PUBLISHED)?|[A-Za-z0-9_-]{1,128}"
_ARN_PREFIX: Final = r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:"
_FUNCTION_NAME: Final = re.compile(
    rf"(?:(?P<prefix>{_ARN_PREFIX})|(?P<account>[0-9]{{12}}):function:)?"
    rf"(?P<name>{_NAME})(?::(?P<qualifier>{_QUALIFIER}))?"
)
_QUALIFIER_ONLY: Final = re.compile(_QUALIFIER)
_UNQUALIFIED_ARN: Final = re.compile(rf"{_ARN_PREFIX}{_NAME}")


class Target(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The original function of a call."""

    function: str
    """Unqualified function ARN."""
    qualifier: str | None = None
    """Version or alias; none means `$LATEST`."""
    tenant_id: str | None = None
    """Tenant, for functions with tenant isolation."""

    @property
    def name(self) -> str:
        """Return the bare function name."""
        return self.function.rpartition(":")[2]

    @property
    def qualified(self) -> str:
        """Return the ARN with its qualifier, as Lambda's invocation records write it."""
        return f"{self.function}:{self.qualifier or '$LATEST'}"


def is_unqualified_arn(text: str) -> bool:
    """Tell whether text is a function ARN without a qualifier."""
    return _UNQUALIFIED_ARN.fullmatch(text) is not None


def is_allowed(function: str, allowed: tuple[str, ...]) -> bool:
    """Tell whether a function ARN is in the list of allowed targets.

    Args:
        function: Unqualified function ARN.
        allowed: Unqualified function ARNs; one that ends in `*` allows every ARN with that prefix.
    """
    return any(
        function.startswith(entry[:-1]) if entry.endswith("*") else function == entry
        for entry in allowed
    )


def resolve_target(
    function_name: str,
    allowed: tuple[str, ...],
    *,
    qualifier: str | None = None,
    tenant_id: str | None = None,
) -> Target:
    """Return the allowed target that a caller's function name means.

    Args:
        function_name: Anything that Lambda's Invoke API takes: a name, a partial or a full ARN, each
            with or without a qualifier.
        allowed: As for `is_allowed`. A bare name is completed from it.
        qualifier: The request's own qualifier.
        tenant_id: The request's tenant.

    Raises:
        BadRequestError: If the name is malformed, names two qualifiers, or is not allowed.

    Source: Lambda API reference, Invoke, FunctionName.
    """
    match = _FUNCTION_NAME.fullmatch(function_name)
    if match is None:
        raise BadRequestError(
            "FunctionName",
            "is not a function name or function ARN",
            "Send a name, a partial ARN or a full ARN, as Lambda's Invoke API takes them",
        )
    suffix = match["qualifier"]
    if qualifier is not None and not _QUALIFIER_ONLY.fullmatch(qualifier):
        raise BadRequestError(
            "Qualifier", "is not a version or alias", "Send a version or an alias"
        )
    if suffix and qualifier and suffix != qualifier:
        raise BadRequestError(
            "Qualifier",
            f"is {qualifier!r}, but FunctionName ends in {suffix!r}",
            "Name the version or alias once",
        )
    function = _complete(match, allowed)
    if function is None or not is_allowed(function, allowed):
        raise BadRequestError(
            "FunctionName",
            f"{match['name']!r} is not an allowed target",
            "Add its ARN to the stack's Targets parameter and deploy again",
            status=403,
        )
    return Target(function=function, qualifier=qualifier or suffix, tenant_id=tenant_id)


def _complete(match: re.Match[str], allowed: tuple[str, ...]) -> str | None:
    """Return the full ARN that a name means among the allowed targets, if any."""
    name = match["name"]
    if match["prefix"]:
        return f"{match['prefix']}{name}"
    for entry in allowed:
        prefix, _, tail = entry.rpartition(":")
        if match["account"] and f":{match['account']}:" not in prefix:
            continue
        arn = f"{prefix}:{name}"
        matches = tail == name or (tail.endswith("*") and name.startswith(tail[:-1]))
        # An entry whose star stands for region or account completes no bare name.
        if matches and is_unqualified_arn(arn):
            return arn
    return None
