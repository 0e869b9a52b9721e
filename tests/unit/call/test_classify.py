from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from reprise.aws.functions import outcome_of
from reprise.call.outcome import (
    KIND_BY_CODE,
    MAX_MESSAGE_CHARS,
    OutcomeKind,
    classify_error,
    classify_reply,
    never_sent,
    no_answer,
    shorten,
)

THROTTLED, TRANSIENT, PERMANENT = (
    OutcomeKind.THROTTLED,
    OutcomeKind.TRANSIENT,
    OutcomeKind.PERMANENT,
)

# F§4, one row per modelled error of Invoke. Trap 8: 502 is not always worth a retry.
TABLE = {
    "TooManyRequestsException": (429, THROTTLED),
    "ServiceException": (500, TRANSIENT),
    "EC2ThrottledException": (502, TRANSIENT),
    "EC2UnexpectedException": (502, TRANSIENT),
    "EC2AccessDeniedException": (502, PERMANENT),
    "ENILimitReachedException": (502, TRANSIENT),
    "ENINotReadyException": (502, TRANSIENT),
    "SubnetIPAddressLimitReachedException": (502, TRANSIENT),
    "ResourceNotReadyException": (502, TRANSIENT),
    "EFSIOException": (410, TRANSIENT),
    "EFSMountConnectivityException": (408, TRANSIENT),
    "EFSMountTimeoutException": (408, TRANSIENT),
    "EFSMountFailureException": (403, PERMANENT),
    "S3FilesMountConnectivityException": (408, TRANSIENT),
    "S3FilesMountTimeoutException": (408, TRANSIENT),
    "S3FilesMountFailureException": (403, PERMANENT),
    "SnapStartNotReadyException": (409, TRANSIENT),
    "SnapStartTimeoutException": (408, TRANSIENT),
    "SnapStartException": (400, PERMANENT),
    "ResourceConflictException": (409, TRANSIENT),
    "CodeArtifactUserPendingException": (409, TRANSIENT),
    "InvalidZipFileException": (502, PERMANENT),
    "InvalidRuntimeException": (502, PERMANENT),
    "InvalidSecurityGroupIDException": (502, PERMANENT),
    "InvalidSubnetIDException": (502, PERMANENT),
    "KMSAccessDeniedException": (502, PERMANENT),
    "KMSDisabledException": (502, PERMANENT),
    "KMSInvalidStateException": (502, PERMANENT),
    "KMSNotFoundException": (502, PERMANENT),
    "InvalidParameterValueException": (400, PERMANENT),
    "InvalidRequestContentException": (400, PERMANENT),
    "RecursiveInvocationException": (400, PERMANENT),
    "ModeNotSupportedException": (400, PERMANENT),
    "ResourceNotFoundException": (404, PERMANENT),
    "RequestTooLargeException": (413, PERMANENT),
    "UnsupportedMediaTypeException": (415, PERMANENT),
    "SerializedRequestEntityTooLargeException": (413, PERMANENT),
    "NoPublishedVersionException": (400, PERMANENT),
    "RuntimeAliasDeletedException": (409, PERMANENT),
    "RuntimeVersionDeletedException": (409, PERMANENT),
    "DurableExecutionAlreadyStartedException": (409, PERMANENT),
    "CodeArtifactUserFailedException": (409, PERMANENT),
    # "Wait for Lambda to provision a new one", "to retry"; a quota is free again, or raised.
    "CodeArtifactUserDeletedException": (409, TRANSIENT),
    "SnapStartRegenerationFailureException": (409, TRANSIENT),
    "ServiceQuotaExceededException": (402, TRANSIENT),
}


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [(code, status, kind) for code, (status, kind) in TABLE.items()],
    ids=list(TABLE),
)
def test_a_modelled_error_has_its_class(code: str, status: int, kind: OutcomeKind) -> None:
    assert classify_error(code, status, "").kind is kind


def test_every_error_of_the_api_model_is_classified_by_name() -> None:
    """A new error of Invoke must be looked at by a person before it is replayed, or not."""
    model = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
    codes = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in model.error_shapes}
    assert set(codes) <= set(KIND_BY_CODE)
    assert {code: status for code, (status, _) in TABLE.items()} == codes


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ThrottlingException", 400, THROTTLED),
        ("429", 429, THROTTLED),
        ("502", 502, TRANSIENT),
        ("Unknown", None, TRANSIENT),
        ("ExpiredTokenException", 403, TRANSIENT),
        ("UnrecognizedClientException", 403, TRANSIENT),
        ("AccessDeniedException", 403, PERMANENT),
        ("SomethingNew", 418, PERMANENT),
        ("SomethingNew", 500, TRANSIENT),
        ("SomethingNew", 499, PERMANENT),
    ],
)
def test_other_codes_go_by_name_or_by_status(
    code: str, status: int | None, kind: OutcomeKind
) -> None:
    assert classify_error(code, status, "").kind is kind


def test_an_error_keeps_what_the_service_said() -> None:
    outcome = classify_error(
        "TooManyRequestsException",
        429,
        "Rate Exceeded.",
        reason="ReservedFunctionConcurrentInvocationLimitExceeded",
        retry_after_s=3.0,
        request_id="r-1",
    )
    assert (outcome.reason, outcome.retry_after_s, outcome.request_id, outcome.message) == (
        "ReservedFunctionConcurrentInvocationLimitExceeded",
        3.0,
        "r-1",
        "Rate Exceeded.",
    )


def test_a_permanent_error_names_the_next_step() -> None:
    outcome = classify_error("ResourceNotFoundException", 404, "Function not found")
    assert outcome.message is not None
    assert outcome.message.startswith("Function not found (")
    assert "redrive" in outcome.message


def test_a_reply_without_function_error_succeeded() -> None:
    outcome = classify_reply(200, None, b'{"errorType":"not an error"}', "r-1")
    assert (outcome.kind, outcome.status, outcome.code) == (OutcomeKind.SUCCEEDED, 200, None)


@pytest.mark.parametrize("function_error", ["Handled", "Unhandled", "", "New"])
def test_a_function_error_is_a_failure_whatever_its_word_and_its_status(
    function_error: str,
) -> None:
    outcome = classify_reply(
        200, function_error, b'{"errorType":"KeyError","errorMessage":"x"}', "r-1"
    )
    assert outcome.kind is OutcomeKind.FUNCTION_ERROR
    assert (outcome.code, outcome.message, outcome.function_error, outcome.status) == (
        "KeyError",
        "x",
        function_error,
        200,
    )


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "Unknown"),
        (b"[]", "Unknown"),
        (b"\xff", "Unknown"),
        (b"[" * 100_000, "Unknown"),
        (b"{}", "Unknown"),
        (b'{"errorType":null}', "Unknown"),
        (b'{"errorType":5}', "Unknown"),
        (b'{"errorType":"' + b"x" * 300 + b'"}', "x" * 256),
    ],
    ids=["empty", "array", "no text", "deep", "bare", "null", "number", "long"],
)
def test_an_error_document_of_any_shape_is_read(payload: bytes, code: str) -> None:
    outcome = classify_reply(200, "Unhandled", payload, None)
    assert (outcome.kind, outcome.code) == (OutcomeKind.FUNCTION_ERROR, code)
    assert outcome.message


@pytest.mark.parametrize("said", ["\ud800", "two\nlines", 5, {"a": 1}, "x" * 1000])
def test_names_of_a_proxys_answer_are_names_that_every_reader_takes(said: object) -> None:
    answer: Any = {"Error": {"Code": said}, "Reason": said}
    outcome = outcome_of(ClientError(answer, "Invoke"))
    for name in (outcome.code, outcome.reason):
        assert isinstance(name, str)
        assert name.isprintable()
        assert len(name) <= 256
        name.encode()


def test_a_call_that_was_never_sent_did_not_run_and_one_without_answer_may_have() -> None:
    assert never_sent("EndpointConnectionError", "refused").kind is OutcomeKind.TRANSIENT
    assert no_answer("ReadTimeoutError", "too late").kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a\n  b\tc", "a b c"),
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, f"{'x' * 1023}…"),
    ],
)
def test_a_message_is_one_line_of_bounded_length(text: str, expected: str) -> None:
    assert shorten(text) == expected


@given(text=st.text(st.characters(), max_size=3000))
def test_any_text_becomes_a_printable_line_that_every_store_takes(text: str) -> None:
    line = shorten(text)
    assert len(line) <= MAX_MESSAGE_CHARS
    assert line.isprintable()
    line.encode()


@given(st.text(st.characters(), max_size=300), st.text(st.characters(), max_size=300))
def test_what_a_target_says_is_printable_before_it_is_stored(kind: str, text: str) -> None:
    payload = json.dumps({"errorType": kind, "errorMessage": text}).encode()
    outcome = classify_reply(200, "Unhandled", payload, None)
    assert outcome.code is not None
    assert outcome.message is not None
    assert outcome.code.isprintable()
    assert outcome.message.isprintable()


def test_what_a_target_hides_is_kept_as_escapes() -> None:
    payload = json.dumps({"errorType": "\ud800", "errorMessage": "a\x1b]0;t\x07\u202eb"}).encode()
    outcome = classify_reply(200, "Unhandled", payload, None)
    assert (outcome.code, outcome.message) == ("\\ud800", "a\\x1b]0;t\\x07\\u202eb")
