"""The engine's own paths: planned faults, and environments killed mid-invocation."""

from __future__ import annotations

import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local_engine.faults import Fault
from local_engine.operations import Operation
from local_engine.testing import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_engine.testing import Aws


@pytest.fixture(autouse=True)
def _no_fault_outlives_its_test(aws: Aws) -> Iterator[None]:
    yield
    aws.admin("DELETE", "faults")


def test_planned_number_of_calls_fails(aws: Aws) -> None:
    url, _ = aws.make_queue()
    sqs = aws.client("sqs")
    aws.admin(
        "POST", "faults", service="sqs", operation="SendMessage", status=503, code="Slow", times=2
    )
    codes = []
    for _ in range(3):
        try:
            sqs.send_message(QueueUrl=url, MessageBody="x")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert codes == ["Slow", "Slow"]
    (fault,) = aws.admin("GET", "faults")["faults"]
    assert fault["hits"] == 2


def test_lost_answer_leaves_the_work_done(aws: Aws) -> None:
    url, _ = aws.make_queue()
    sqs = aws.client("sqs")
    aws.admin("POST", "faults", service="sqs", operation="SendMessage", status=500, after=True)
    with pytest.raises(ClientError):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "x"


def test_only_calls_that_hold_the_text_fail(aws: Aws) -> None:
    names = [aws.make_function("def handle(event, context): return 1") for _ in range(2)]
    aws.admin(
        "POST",
        "faults",
        service="lambda",
        operation="Invoke",
        contains=names[0],
        status=429,
        code="TooManyRequestsException",
        fields={"Reason": "CallerRateLimitExceeded"},
        headers={"Retry-After": "1"},
    )
    with pytest.raises(ClientError) as caught:
        aws.invoke(names[0], {})
    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert dict(caught.value.response)["Reason"] == "CallerRateLimitExceeded"
    assert aws.invoke(names[1], {}) == 1


def test_xml_service_answers_in_xml_and_delay_is_kept(aws: Aws) -> None:
    bucket = f"b-{uuid.uuid4().hex[:8]}"
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    aws.admin(
        "POST",
        "faults",
        service="s3",
        operation="PutObject",
        status=503,
        code="SlowDown",
        delay_s=0.2,
    )
    started = time.monotonic()
    with pytest.raises(ClientError, match="SlowDown"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert time.monotonic() - started >= 0.2


def test_killed_environment_is_an_exit_error_and_is_replaced(aws: Aws) -> None:
    name = aws.make_function(
        "import time\ndef handle(event, context):\n  time.sleep(event)\n  return 'done'", Timeout=30
    )
    results: list[Any] = []
    call = threading.Thread(target=lambda: results.append(aws.invoke(name, 20)))
    call.start()
    wait_for(lambda: aws.admin("POST", "kill", function=name)["killed"])
    call.join(timeout=5)
    (error,) = results
    assert error["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in error["errorMessage"]
    assert aws.invoke(name, 0) == "done"
    assert aws.admin("GET", "environments")[name] == {"busy": 0, "idle": 1}


def test_unknown_field_of_a_fault_is_refused(aws: Aws) -> None:
    with pytest.raises(OSError, match="400"):
        aws.admin("POST", "faults", service="sqs", state=500)


def test_share_of_calls_is_the_same_for_a_seed() -> None:
    operation = Operation(service="sqs", name="SendMessage")

    def taken() -> list[bool]:
        fault = Fault(service="sqs", probability=0.3, seed=7)
        return [fault.takes(operation, "") for _ in range(200)]

    assert taken() == taken()
    assert 40 <= sum(taken()) <= 80


def test_fault_answer_is_json_with_its_fields() -> None:
    fault = Fault(service="dynamodb", status=400, code="X", fields={"Item": 1})
    status, headers, body = fault.answer()
    assert status == 400
    assert (b"x-amzn-errortype", b"X") in headers
    assert json.loads(body) == {"__type": "X", "message": "a planned fault", "Item": 1}
