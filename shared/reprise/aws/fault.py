"""Translate what the SDK raises.

Apart from the clients, so that whoever only names these errors does not load the SDK.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from reprise.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def store_errors(service: str, operation: str, *, advice: str = "") -> Iterator[None]:
    """Raise every failure of a service call as StoreError.

    Args:
        service: As the SDK names it.
        operation: As AWS names it.
        advice: What was asked for, and the next step, where AWS's own message does not tell.

    Raises:
        StoreError: If the call inside failed, however it failed.
    """
    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        message = str(details.get("Message", ""))
        if advice:
            message = f"{message.rstrip('.')}. {advice}"
        raise StoreError(service, operation, code_of(error), message) from error
    except BotoCoreError as error:
        raise StoreError(service, operation, type(error).__name__, str(error)) from error


def code_of(error: ClientError) -> str:
    """Return the error code of a refused call."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def is_failed_condition(error: ClientError) -> bool:
    """Tell whether DynamoDB refused a write because its condition does not hold."""
    return code_of(error) == "ConditionalCheckFailedException"
