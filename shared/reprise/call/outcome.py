"""How an invocation ended, as a value, and the table of AWS's errors that tells it.

Source: Lambda API reference, Invoke, Errors; "Retry behavior" in the Lambda developer guide. The
split is this project's own: the API model marks no error as retryable. A test compares the names with
that model's.
"""

from __future__ import annotations

import json
from enum import StrEnum
from http import HTTPStatus
from typing import Final

import msgspec

from reprise.printable import printable


class OutcomeKind(StrEnum):
    """The classes of an invocation's end."""

    SUCCEEDED = "succeeded"
    """The target ran and returned."""
    THROTTLED = "throttled"
    """Refused for want of capacity; the target did not run."""
    TRANSIENT = "transient"
    """Failed on the way; the target did not run."""
    FUNCTION_ERROR = "function_error"
    """The target ran and failed, or Lambda ended it (`Task timed out`, `Sandbox.Timedout`)."""
    UNKNOWN = "unknown"
    """No answer came, or half of one: the target may or may not have run."""
    PERMANENT = "permanent"
    """The call can never succeed as it is."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How one invocation ended."""

    kind: OutcomeKind
    code: str | None = None
    """AWS error code, exception name, or the target's own error type."""
    reason: str | None = None
    """`Reason` of a throttle: function, account or caller."""
    status: int | None = None
    """HTTP status of the answer; none if there was no answer."""
    message: str | None = None
    """One line for people, at most 1,024 characters."""
    retry_after_s: float | None = None
    """The server's `Retry-After`; a floor for the next try."""
    request_id: str | None = None
    """Request id of the invocation, to find it in the target's log."""
    function_error: str | None = None
    """The `X-Amz-Function-Error` header, opaque."""


MAX_MESSAGE_CHARS: Final = 1024
_MAX_CODE_CHARS: Final = 256

KIND_BY_CODE: Final[dict[str, OutcomeKind]] = {
    "TooManyRequestsException": OutcomeKind.THROTTLED,
    "ThrottlingException": OutcomeKind.THROTTLED,
    "Throttling": OutcomeKind.THROTTLED,
    "RequestLimitExceeded": OutcomeKind.THROTTLED,
    "EC2ThrottledException": OutcomeKind.TRANSIENT,
    "ServiceException": OutcomeKind.TRANSIENT,
    "ServiceUnavailableException": OutcomeKind.TRANSIENT,
    "ENILimitReachedException": OutcomeKind.TRANSIENT,
    "ENINotReadyException": OutcomeKind.TRANSIENT,
    "SubnetIPAddressLimitReachedException": OutcomeKind.TRANSIENT,
    "ResourceNotReadyException": OutcomeKind.TRANSIENT,
    "ResourceConflictException": OutcomeKind.TRANSIENT,
    "EFSIOException": OutcomeKind.TRANSIENT,
    "EFSMountConnectivityException": OutcomeKind.TRANSIENT,
    "EFSMountTimeoutException": OutcomeKind.TRANSIENT,
    "S3FilesMountConnectivityException": OutcomeKind.TRANSIENT,
    "S3FilesMountTimeoutException": OutcomeKind.TRANSIENT,
    "SnapStartNotReadyException": OutcomeKind.TRANSIENT,
    "SnapStartTimeoutException": OutcomeKind.TRANSIENT,
    "SnapStartRegenerationFailureException": OutcomeKind.TRANSIENT,
    "CodeArtifactUserPendingException": OutcomeKind.TRANSIENT,
    "CodeArtifactUserDeletedException": OutcomeKind.TRANSIENT,
    "ServiceQuotaExceededException": OutcomeKind.TRANSIENT,
    # Expired or unready credentials of ours heal by themselves; they say nothing of the target.
    "ExpiredTokenException": OutcomeKind.TRANSIENT,
    "UnrecognizedClientException": OutcomeKind.TRANSIENT,
    # 502 by status, yet nothing but a person can repair them.
    "EC2AccessDeniedException": OutcomeKind.PERMANENT,
    "EC2UnexpectedException": OutcomeKind.TRANSIENT,
    "EFSMountFailureException": OutcomeKind.PERMANENT,
    "InvalidRuntimeException": OutcomeKind.PERMANENT,
    "InvalidSecurityGroupIDException": OutcomeKind.PERMANENT,
    "InvalidSubnetIDException": OutcomeKind.PERMANENT,
    "InvalidZipFileException": OutcomeKind.PERMANENT,
    "KMSAccessDeniedException": OutcomeKind.PERMANENT,
    "KMSDisabledException": OutcomeKind.PERMANENT,
    "KMSInvalidStateException": OutcomeKind.PERMANENT,
    "KMSNotFoundException": OutcomeKind.PERMANENT,
    "S3FilesMountFailureException": OutcomeKind.PERMANENT,
    "SnapStartException": OutcomeKind.PERMANENT,
    "RecursiveInvocationException": OutcomeKind.PERMANENT,
    "ModeNotSupportedException": OutcomeKind.PERMANENT,
    "ResourceNotFoundException": OutcomeKind.PERMANENT,
    "AccessDeniedException": OutcomeKind.PERMANENT,
    "NoPublishedVersionException": OutcomeKind.PERMANENT,
    "RuntimeAliasDeletedException": OutcomeKind.PERMANENT,
    "RuntimeVersionDeletedException": OutcomeKind.PERMANENT,
    "CodeArtifactUserFailedException": OutcomeKind.PERMANENT,
    # The request itself.
    "DurableExecutionAlreadyStartedException": OutcomeKind.PERMANENT,
    "InvalidParameterValueException": OutcomeKind.PERMANENT,
    "InvalidRequestContentException": OutcomeKind.PERMANENT,
    "RequestTooLargeException": OutcomeKind.PERMANENT,
    "SerializedRequestEntityTooLargeException": OutcomeKind.PERMANENT,
    "UnsupportedMediaTypeException": OutcomeKind.PERMANENT,
}

_NEXT_STEP_BY_CODE: Final[dict[str, str]] = {
    "ResourceNotFoundException": "the function or its qualifier is gone: deploy it again, then redrive",
    "AccessDeniedException": "the replayer may not invoke it: check Targets and the function's policy",
    "RequestTooLargeException": "the payload is over Lambda's limit and can never be accepted",
    "KMSAccessDeniedException": "the function's KMS key refuses it: repair the key policy, then redrive",
    "RecursiveInvocationException": "Lambda stopped a loop: check who invokes whom",
}


def classify_error(
    code: str,
    status: int | None,
    message: str,
    *,
    reason: str | None = None,
    retry_after_s: float | None = None,
    request_id: str | None = None,
) -> Outcome:
    """Return the outcome of an invocation that Lambda's API answered with an error.

    Codes that the table does not name go by status: 429 throttled, 5xx transient, the rest permanent.
    """
    kind = KIND_BY_CODE.get(code) or _kind_by_status(status)
    next_step = _NEXT_STEP_BY_CODE.get(code)
    return Outcome(
        kind=kind,
        code=_name_of(code),
        reason=None if reason is None else _name_of(reason),
        status=status,
        message=shorten(f"{message} ({next_step})" if next_step else message),
        retry_after_s=retry_after_s,
        request_id=request_id,
    )


def classify_reply(
    status: int, function_error: str | None, payload: bytes, request_id: str | None
) -> Outcome:
    """Return the outcome of an invocation that Lambda's API accepted.

    The status does not reflect function errors: 200 with `X-Amz-Function-Error` is a failure.
    """
    if function_error is None:
        return Outcome(kind=OutcomeKind.SUCCEEDED, status=status, request_id=request_id)
    error_type, error_message = _error_of(payload)
    return Outcome(
        kind=OutcomeKind.FUNCTION_ERROR,
        code=error_type,
        status=status,
        message=shorten(error_message),
        request_id=request_id,
        function_error=function_error,
    )


def never_sent(code: str, message: str) -> Outcome:
    """Return the outcome of an invocation that did not leave us: the target cannot have run."""
    return Outcome(kind=OutcomeKind.TRANSIENT, code=code, message=shorten(message))


def no_answer(code: str, message: str) -> Outcome:
    """Return the outcome of an invocation that was sent and never answered."""
    return Outcome(kind=OutcomeKind.UNKNOWN, code=code, message=shorten(message))


def shorten(text: str) -> str:
    """Return text as one printable line of at most 1,024 characters.

    It goes to stores, letters and logs, and from there to terminals, chats and mails that others wrote: what
    those could obey, and the lone surrogates that no store takes, are escapes from the start.
    """
    line = printable(" ".join(text.split()))
    return line if len(line) <= MAX_MESSAGE_CHARS else f"{line[: MAX_MESSAGE_CHARS - 1]}…"


def _name_of(said: str) -> str:
    """Return a name as a record takes it, whatever stood in its place: a proxy's answer may hold anything."""
    return shorten(said)[:_MAX_CODE_CHARS]


def _kind_by_status(status: int | None) -> OutcomeKind:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return OutcomeKind.THROTTLED
    if status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return OutcomeKind.TRANSIENT
    return OutcomeKind.PERMANENT


def _error_of(payload: bytes) -> tuple[str, str]:
    """Return errorType and errorMessage of a function error's payload, as far as it has them."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return "Unknown", "the function failed without an error document"
    texts = {name: text for name, text in document.items() if isinstance(text, str) and text}
    return (
        _name_of(texts.get("errorType", "Unknown")),
        texts.get("errorMessage", "no error message"),
    )
