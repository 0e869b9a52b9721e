"""Canary of the correction ``account_pool``: an account's concurrency, and who may use how much of it."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from local_engine.testing import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_engine.testing import Aws

#: Says that it runs, and goes on until it is told to end.
BUSY = """
import pathlib, time
def handle(event, context):
    note = pathlib.Path(event["note"])
    note.touch()
    while not note.with_suffix(".end").exists():
        time.sleep(0.01)
"""
QUICK = "def handle(event, context): return 1"
ACCOUNT_REASON = "ConcurrentInvocationLimitExceeded"
FUNCTION_REASON = "ReservedFunctionConcurrentInvocationLimitExceeded"


@contextmanager
def limited(aws: Aws, limit: int) -> Iterator[None]:
    """Let the account run so many at once inside."""
    aws.admin("POST", "account", limit=limit)
    try:
        yield
    finally:
        aws.admin("DELETE", "account")


@contextmanager
def running(aws: Aws, function: str, folder: Path) -> Iterator[None]:
    """Keep one execution of a function going inside."""
    note = folder / uuid.uuid4().hex
    call = threading.Thread(target=aws.invoke, args=(function, {"note": str(note)}))
    call.start()
    try:
        wait_for(note.exists)
        yield
    finally:
        note.with_suffix(".end").touch()
        call.join()


def refusal_of(aws: Aws, function: str) -> str:
    """Return the reason that an invocation is refused with."""
    with pytest.raises(ClientError) as caught:
        aws.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["Error"]["Code"] == "TooManyRequestsException"
    return str(dict(response)["Reason"])


def reserve(aws: Aws, function: str, concurrency: int) -> None:
    aws.client("lambda").put_function_concurrency(
        FunctionName=function, ReservedConcurrentExecutions=concurrency
    )


def test_full_account_refuses_who_has_no_reservation_and_only_them(
    aws: Aws, tmp_path: Path
) -> None:
    reserving, busy, other = (aws.make_function(text) for text in (QUICK, BUSY, QUICK))
    before = aws.client("lambda").get_account_settings()["AccountLimit"]
    reserve(aws, reserving, 1)
    taken = before["ConcurrentExecutions"] - before["UnreservedConcurrentExecutions"]
    # One more than is reserved: the others share that one.
    with limited(aws, taken + 2):
        settings = aws.client("lambda").get_account_settings()["AccountLimit"]
        assert settings["ConcurrentExecutions"] == taken + 2
        assert settings["UnreservedConcurrentExecutions"] == 1
        with running(aws, busy, tmp_path):
            assert refusal_of(aws, other) == ACCOUNT_REASON
            assert refusal_of(aws, busy) == ACCOUNT_REASON
            assert aws.invoke(reserving, {}) == 1
        assert aws.invoke(other, {}) == 1


def test_reservation_bounds_its_function_and_takes_nothing_from_the_others_in_use(
    aws: Aws, tmp_path: Path
) -> None:
    reserving, other = aws.make_function(BUSY), aws.make_function(QUICK)
    reserve(aws, reserving, 1)
    with running(aws, reserving, tmp_path):
        assert refusal_of(aws, reserving) == FUNCTION_REASON
        unreserved = aws.client("lambda").get_account_settings()["AccountLimit"]
        taken = unreserved["ConcurrentExecutions"] - unreserved["UnreservedConcurrentExecutions"]
        with limited(aws, taken + 1):
            assert aws.invoke(other, {}) == 1


def test_what_nobody_may_share_refuses_all_without_a_reservation(aws: Aws) -> None:
    reserving, other = aws.make_function(QUICK), aws.make_function(QUICK)
    reserve(aws, reserving, 3)
    with limited(aws, 3):
        assert refusal_of(aws, other) == ACCOUNT_REASON
        assert aws.invoke(reserving, {}) == 1


@pytest.mark.parametrize(("limit", "floor"), [(1000, 100), (100, 100), (10, 10)])
def test_reservation_leaves_the_others_their_least(aws: Aws, limit: int, floor: int) -> None:
    function = aws.make_function(QUICK)
    client = aws.client("lambda")
    with limited(aws, limit):
        with pytest.raises(ClientError) as caught:
            reserve(aws, function, limit - floor + 1)
        error = caught.value.response["Error"]
        assert error["Code"] == "InvalidParameterValueException"
        assert f"minimum value of [{floor}]" in error["Message"]
        assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(
            FunctionName=function
        )
        # Zero takes nothing from anybody.
        reserve(aws, function, 0)
        assert refusal_of(aws, function) == FUNCTION_REASON


def test_limit_that_is_none_is_refused(aws: Aws) -> None:
    for nonsense in ({"limit": 0}, {"size": 5}):
        with pytest.raises(Exception, match="400"):
            aws.admin("POST", "account", **nonsense)
    assert aws.admin("GET", "account") == {"limit": 1000}
