from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    DataNotFoundError,
    EndpointConnectionError,
    NoCredentialsError,
)

from local_engine.control import EngineError
from reprise.errors import BadRequestError, PayloadError, StoreError
from reprise_cli.exits import CommandError, ExitCode, explain


def _refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "because."}}, "GetThing")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (EndpointConnectionError(endpoint_url="http://x"), ExitCode.UNREACHABLE, "http://x"),
        (NoCredentialsError(), ExitCode.UNREACHABLE, "credentials"),
        (_refused("ExpiredToken"), ExitCode.UNREACHABLE, "AWS_PROFILE"),
        (_refused("AccessDeniedException"), ExitCode.FAILED, "Allow this action"),
        (_refused("Odd"), ExitCode.FAILED, "GetThing: Odd: because. "),
        (StoreError("sqs", "Send", "ReadTimeoutError", ""), ExitCode.UNREACHABLE, "sqs"),
        (StoreError("sqs", "Send", "AccessDenied", ""), ExitCode.FAILED, "sqs Send"),
        (BadRequestError("Qualifier", "is bad", "Drop it"), ExitCode.FAILED, "Qualifier: is bad"),
        (PayloadError("is gone"), ExitCode.FAILED, "is gone"),
        (EngineError("did not start"), ExitCode.FAILED, "engine: did not start"),
        (DataNotFoundError(data_path="x"), ExitCode.FAILED, "AWS"),
        (CommandError("a", "b", "c", ExitCode.USAGE), ExitCode.USAGE, "a: b. c"),
    ],
    ids=[
        "no endpoint",
        "no credentials",
        "expired credentials",
        "access denied",
        "any other code",
        "store unreachable",
        "store refused",
        "bad request",
        "reprise's own",
        "engine",
        "sdk",
        "command",
    ],
)
def test_a_known_error_names_the_field_and_ends_with_its_code(
    error: Exception, code: ExitCode, words: str
) -> None:
    told = explain(error)
    assert told is not None
    assert told.code is code
    assert words in str(told)
    assert told.next_step


def test_a_defect_of_ours_is_not_explained_away() -> None:
    assert explain(KeyError("x")) is None
