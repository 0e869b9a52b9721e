"""Canaries of the corrections ``runtime`` and ``invoke_limits``."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from local_engine.testing import archive, wait_for

if TYPE_CHECKING:
    from local_engine.testing import Aws

COUNTER = """
import os
calls = 0
def handle(event, context):
    global calls
    calls += 1
    if event.get("fail"):
        raise KeyError("asked to fail")
    return {"calls": calls, "pid": os.getpid()}
"""


def test_environment_outlives_a_handler_exception(aws: Aws) -> None:
    name = aws.make_function(COUNTER)
    first = aws.invoke(name, {})
    error = aws.invoke(name, {"fail": True})
    third = aws.invoke(name, {})
    assert error["errorType"] == "KeyError"
    assert error["stackTrace"]
    assert third == {"calls": 3, "pid": first["pid"]}


def test_function_sees_only_its_own_environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_DEVELOPER", "1")
    name = aws.make_function(
        "import os\ndef handle(event, context): return dict(os.environ)",
        Environment={"Variables": {"MINE": "yes"}},
    )
    seen = aws.invoke(name, {})
    assert seen["MINE"] == "yes"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert seen["AWS_ENDPOINT_URL"] == aws.url
    documented = ("AWS_", "_", "LAMBDA_", "LANG", "LC_", "TZ", "PATH", "MINE")
    assert [variable for variable in seen if not variable.startswith(documented)] == []


def test_function_runs_under_the_interpreter_of_its_runtime(aws: Aws) -> None:
    name = aws.make_function(
        "import sys\ndef handle(event, context): return [sys.prefix, *sys.path, *sys.modules]"
    )
    seen = aws.invoke(name, {})
    assert "awslambdaric" in seen
    assert "ministack" not in seen


def test_code_comes_before_layers_and_layers_before_the_runtime(aws: Aws) -> None:
    layer = aws.client("lambda").publish_layer_version(
        LayerName="order",
        Content={
            "ZipFile": archive(
                {
                    "python/jmespath.py": "origin = 'layer'",
                    "python/handler.py": "raise ImportError('the layer came first')",
                    "python/from_layer.py": "value = 1",
                }
            )
        },
    )
    name = aws.make_function(
        "import jmespath, from_layer\ndef handle(event, context): return jmespath.origin",
        Layers=[layer["LayerVersionArn"]],
    )
    assert aws.invoke(name, {}) == "layer"


def test_import_failure_has_the_runtime_error_type(aws: Aws) -> None:
    name = aws.make_function("import no_such_module")
    error = aws.invoke(name, {})
    assert error["errorType"] == "Runtime.ImportModuleError"


def test_timeout_is_a_sandbox_timeout(aws: Aws) -> None:
    name = aws.make_function(
        "import time\ndef handle(event, context):\n  print('before')\n  time.sleep(60)", Timeout=1
    )
    client = aws.client("lambda")
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    error = json.load(answer["Payload"])
    assert answer["FunctionError"] == "Unhandled"
    assert error["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in error["errorMessage"]
    assert "before" in aws.log_lines(f"/aws/lambda/{name}")


def test_exit_of_the_process_is_an_exit_error(aws: Aws) -> None:
    name = aws.make_function("import os\ndef handle(event, context):\n  print('x')\n  os._exit(3)")
    error = aws.invoke(name, {})
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("exit status 3")


def test_log_lines_are_whole_and_never_mixed(aws: Aws) -> None:
    name = aws.make_function(
        """
def handle(event, context):
    for number in range(20):
        print(f"{event['call']} {number} {context.aws_request_id}")
    if event["call"] % 5 == 0:
        raise ValueError
"""
    )
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda call: aws.invoke(name, {"call": call}), range(40)))
    events = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    blocks: dict[str, list[str]] = {}
    for event in events:
        blocks.setdefault(event["logStreamName"], []).append(event["message"])
    expected = 0
    for lines in blocks.values():
        current = ""
        for line in lines:
            if line.startswith("START"):
                current = line.split()[2]
            elif line.endswith(current):
                expected += 1
    assert expected >= 40 * 20


def test_log_group_of_the_logging_config_is_used(aws: Aws) -> None:
    aws.client("logs").create_log_group(logGroupName="/custom/group")
    name = aws.make_function(
        "def handle(event, context): print('hello')",
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/custom/group", "SystemLogLevel": "WARN"},
    )
    aws.invoke(name, {})
    assert aws.log_lines("/custom/group") == ["hello"]


def test_context_carries_what_the_caller_sent(aws: Aws) -> None:
    name = aws.make_function(
        """
def handle(event, context):
    return {"custom": context.client_context.custom, "arn": context.invoked_function_arn,
            "left": context.get_remaining_time_in_millis()}
"""
    )
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    seen = aws.invoke(name, {}, ClientContext=context)
    assert seen["custom"] == {"k": "v"}
    assert seen["arn"].endswith(f":function:{name}")
    assert 5_000 < seen["left"] <= 10_000


def test_too_large_request_is_refused(aws: Aws) -> None:
    name = aws.make_function("def handle(event, context): return len(event)")
    with pytest.raises(ClientError) as caught:
        aws.invoke(name, "x" * (6 * 1024 * 1024))
    assert caught.value.response["Error"]["Code"] == "RequestTooLargeException"


@pytest.mark.parametrize(
    "payload",
    [
        b'{"x":NaN}',
        b"-Infinity",
        b'[1,{"y":Infinity}]',
        b"{'x':1}",
        b"\xff",
        '{"x":1}'.encode("utf-16"),
    ],
)
def test_payload_that_is_no_json_is_refused_before_the_function_runs(
    aws: Aws, payload: bytes
) -> None:
    """Lambda's own parser knows no NaN (ballerina-platform/module-ballerina-c2c#15; RFC 8259, section 6)."""
    name = aws.make_function(COUNTER)
    with pytest.raises(ClientError) as caught:
        aws.client("lambda").invoke(FunctionName=name, Payload=payload)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestContentException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert aws.invoke(name, {"text": "NaN"})["calls"] == 1


def test_too_large_response_is_a_function_error(aws: Aws) -> None:
    name = aws.make_function("def handle(event, context): return 'x' * 6_400_000")
    assert aws.invoke(name, {})["errorType"] == "Function.ResponseSizeTooLarge"


def test_boto3_in_a_function_reaches_the_engine(aws: Aws) -> None:
    url, _ = aws.make_queue()
    name = aws.make_function(
        "import boto3\nsqs = boto3.client('sqs')\n"
        "def handle(event, context): sqs.send_message(QueueUrl=event, MessageBody='hi')",
        Timeout=30,
    )
    aws.invoke(name, url)
    sqs = aws.client("sqs")
    found = wait_for(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    assert [message["Body"] for message in found] == ["hi"]
