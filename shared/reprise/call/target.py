"""Who a call is for, and what it is called: its target and its id."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
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


_KEY_NAME: Final = re.compile(r"[!-~]{1,256}")
_UUID7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TODAYS: Final = re.compile(r"~[0-9a-f]{32}(![0-9a-f]{16})?\Z")
RANDOM_BYTES: Final = 10
_MAX_UNIX_MS: Final = (1 << 48) - 1


def new_call_id(now_ms: int, random_bytes: bytes) -> str:
    """Return a UUIDv7 made of an instant and ten random bytes.

    Args:
        now_ms: Milliseconds since the epoch, below 2**48.
        random_bytes: Ten bytes from a good source, made by the caller.

    Raises:
        ValueError: If an argument is out of range.

    Source: RFC 9562, section 5.7.
    """
    if not 0 <= now_ms <= _MAX_UNIX_MS:
        msg = f"now_ms must be in [0, 2**48), got {now_ms}"
        raise ValueError(msg)
    if len(random_bytes) != RANDOM_BYTES:
        msg = f"random_bytes must be {RANDOM_BYTES} bytes, got {len(random_bytes)}"
        raise ValueError(msg)
    value = (now_ms << 80) | int.from_bytes(random_bytes)
    value &= ~(0xF << 76) & ((1 << 128) - 1)
    value |= 0x7 << 76
    value &= ~(0x3 << 62)
    value |= 0x2 << 62
    return str(uuid.UUID(int=value))


def check_name(field: str, text: str) -> None:
    """Accept a key or a scope that a caller chose.

    Raises:
        BadRequestError: Naming the field, if the text is empty, over 256 characters or not printable
            ASCII.
    """
    if not is_name(text):
        raise BadRequestError(
            field,
            "must be 1 to 256 printable ASCII characters without blanks",
            "Send a shorter one, for example a UUID or an order number",
        )


def is_name(text: str) -> bool:
    """Tell whether a text may be a key or a scope."""
    return _KEY_NAME.fullmatch(text) is not None


def id_of(target: Target, *, source: str, scope: str | None, key: str) -> str:
    """Return the id of a call whose caller named its effect: `<function name>:<key>~<32 hex>`.

    The same id for the same target, qualifier (`$LATEST` is none), tenant, source, scope and key; another
    one if any of them differs, as far as SHA-256 tells texts apart. People find the call by the first
    part; the second keeps two callers from sharing a call by accident or on purpose
    (docs/adr/0018-a-call-is-named-by-all-that-makes-it.md).

    Args:
        target: The function, its qualifier and tenant.
        source: Name of the source that captures the call: `Record.source.name`.
        scope: The caller's own namespace of keys, if it gave one.
        key: Accepted by `is_name`.
    """
    whole = (
        target.function,
        target.qualifier or "$LATEST",
        target.tenant_id,
        source,
        scope,
        key,
    )
    # A JSON list: no two of these spell the same text.
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()
    # 128 bits: a caller chooses scope and tenant, and could search 64 bits for somebody else's id.
    return f"{target.name}:{key}~{digest[:32]}"


def conflict_id(call_id: str, sha256: str) -> str:
    """Return the id of a call whose key names another payload already.

    Args:
        call_id: The id that both would have.
        sha256: Hex digest of this call's own payload.
    """
    return f"{call_id}!{sha256[:16]}"


def is_id_without_key(call_id: str, function_name: str) -> bool:
    """Tell whether a call may have this id that says nothing of a key.

    A UUIDv7 may, and the id by which version 0.1.0 named a call with a key, `<function name>:<key>`, as
    long as it spells none of today's.
    """
    if _UUID7.fullmatch(call_id):
        return True
    name, colon, key = call_id.partition(":")
    is_old = bool(colon) and name == function_name and is_name(key)
    return is_old and _TODAYS.search(call_id) is None
