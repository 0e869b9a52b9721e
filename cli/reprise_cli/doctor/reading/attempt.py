"""Try to read: a refusal, or a service that is away, becomes a fact, and no error."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from reprise_cli.doctor.read import NotRead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reprise_cli.doctor.read import Read

THREADS: Final = 8
_DENIED: Final = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Forbidden",
        "UnauthorizedOperation",
    }
)
_GONE: Final = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidRequestException",
        "NoSuchBucket",
        "NoSuchEntity",
        "NotFound",
        "NotFoundException",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
"""Codes of what is not there; the third is Secrets Manager's, of a secret that is about to be deleted."""


def attempt[T](permission: str, ask: Callable[[], T]) -> Read[T | None]:
    """Return what a request gives; None if what it is about is not there.

    Args:
        permission: What it takes, as IAM calls it.
        ask: Makes the request.
    """
    try:
        return ask()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "Unknown"))
        if code in _GONE:
            return None
        if code in _DENIED:
            return NotRead(f"{permission} is not allowed to you")
        return NotRead(f"{permission} was answered by {code}")
    except BotoCoreError as error:
        return NotRead(f"{permission} was not answered: {type(error).__name__}")


def attempt_there[T](permission: str, ask: Callable[[], T], what: str) -> Read[T]:
    """Return what a request gives that is always there."""
    found = attempt(permission, ask)
    return NotRead(f"{what} was not found") if found is None else found


def each[T](names: Iterable[str], read: Callable[[str], T]) -> dict[str, T]:
    """Return what is read of each name, several at a time; the clients must have been made."""
    listed = list(dict.fromkeys(names))
    if not listed:
        return {}
    with ThreadPoolExecutor(min(THREADS, len(listed))) as pool:
        return dict(zip(listed, pool.map(read, listed), strict=True))


def pages_of(client: Any, operation: str, member: str, **request: Any) -> list[Any]:  # noqa: ANN401 - boto3's own shapes
    """Return the entries of all pages of a list."""
    pages = client.get_paginator(operation).paginate(**request)
    return [entry for page in pages for entry in page.get(member, [])]
