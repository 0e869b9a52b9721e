"""Functions with a loop of their own on the Runtime API: by wrapper script, by bootstrap, by their module."""

from __future__ import annotations

import base64
import json
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local_engine.testing import archive, wait_for

if TYPE_CHECKING:
    from local_engine.testing import Aws

LOOP = """
import http.client, json, os, sys
VERSION = "/2018-06-01/runtime"
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    api.request(method, VERSION + path, body, headers)
    answer = api.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()
def serve(reply):
    while True:
        _, headers, payload = call("GET", "/invocation/next")
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        kind, body, more = reply(headers, payload)
        print(call("POST", f"/invocation/{request_id}/{kind}", body, more)[0], flush=True)
"""
ECHO = LOOP + 'serve(lambda headers, payload: ("response", payload, {}))\n'
HEADERS = LOOP + 'serve(lambda headers, payload: ("response", json.dumps(headers), {}))\n'


def bootstrap(source: str) -> dict[str, str]:
    return {"bootstrap": f"#!{sys.executable}\n{source}"}


def provided(aws: Aws, source: str, **settings: Any) -> str:
    return aws.make_function("", bootstrap(source), Runtime="provided.al2023", **settings)


def invoke(aws: Aws, name: str, payload: bytes, **settings: Any) -> dict[str, Any]:
    answer: dict[str, Any] = aws.client("lambda").invoke(
        FunctionName=name, Payload=payload, **settings
    )
    return {**answer, "Payload": answer["Payload"].read()}


def test_own_loop_gets_and_gives_bytes_as_they_are(aws: Aws) -> None:
    name = provided(aws, ECHO)
    payload = b'{"a" :1.0,\n"b":"\\u00e9 \xc3\xa9", "a":1e400}'
    assert invoke(aws, name, payload)["Payload"] == payload


def test_managed_loop_gets_bytes_as_they_are(aws: Aws) -> None:
    name = aws.make_function(
        "import json\n"
        "keep = json.loads\n"
        "def loads(text, *a, **k): return {'raw': text if isinstance(text, str) else text.decode()}\n"
        "import awslambdaric.lambda_runtime_marshaller as m\n"
        "m.json.loads = loads\n"
        "def handle(event, context): return event"
    )
    assert json.loads(invoke(aws, name, b'{ "b":1.0}')["Payload"]) == {"raw": '{ "b":1.0}'}


@pytest.mark.parametrize("size_bytes", [1, 6_291_556])
def test_answer_of_an_own_loop_may_be_anything(aws: Aws, size_bytes: int) -> None:
    source = f'serve(lambda headers, payload: ("response", b"\\xff" * {size_bytes}, {{}}))'
    answer = invoke(aws, provided(aws, LOOP + source), b"{}")
    assert answer["Payload"] == b"\xff" * size_bytes
    assert "FunctionError" not in answer


def test_too_large_answer_of_an_own_loop_is_refused_with_413(aws: Aws) -> None:
    source = 'serve(lambda headers, payload: ("response", b"x" * 6_291_557, {}))'
    name = provided(aws, LOOP + source)
    answer = invoke(aws, name, b"{}")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"])["errorType"] == "Function.ResponseSizeTooLarge"
    invoke(aws, name, b"{}")
    assert "413" in aws.log_lines(f"/aws/lambda/{name}")


def test_answer_in_chunks_is_joined(aws: Aws) -> None:
    source = 'serve(lambda headers, payload: ("response", iter([b"one", b"", b"two"]), {}))'
    assert invoke(aws, provided(aws, LOOP + source), b"{}")["Payload"] == b"onetwo"


def test_own_loop_may_ask_for_its_next_call_before_it_reads_that_its_answer_was_taken(
    aws: Aws,
) -> None:
    source = """
other = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
other.request("GET", VERSION + "/invocation/next")
while True:
    asked = other.getresponse()
    payload = asked.read()
    request_id = asked.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", f"{VERSION}/invocation/{request_id}/response", payload)
    other.request("GET", VERSION + "/invocation/next")
    api.getresponse().read()
"""
    name = provided(aws, LOOP + source)
    for number in range(20):
        assert invoke(aws, name, b"%d" % number)["Payload"] == b"%d" % number


def test_error_of_an_own_loop_is_passed_on_as_unhandled(aws: Aws) -> None:
    body = {"errorType": "Captured", "errorMessage": "kept", "more": 1}
    source = (
        f'serve(lambda headers, payload: ("error", {json.dumps(body)!r}, '
        '{"Lambda-Runtime-Function-Error-Type": "Captured"}))'
    )
    answer = invoke(aws, provided(aws, LOOP + source), b"{}")
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"].decode() == json.dumps(body)


def test_initialisation_error_of_an_own_loop_is_the_answer(aws: Aws) -> None:
    source = 'call("POST", "/init/error", "", {"Lambda-Runtime-Function-Error-Type": "Runtime.NoSuchKey"})'
    answer = invoke(aws, provided(aws, LOOP + source), b"{}")
    assert json.loads(answer["Payload"])["errorType"] == "Runtime.NoSuchKey"


def test_paths_that_are_not_there_and_foreign_calls_are_refused(aws: Aws) -> None:
    source = (
        "def reply(headers, payload):\n"
        '    foreign = call("POST", "/invocation/other/response", b"")\n'
        '    unknown = call("GET", "/nothing")\n'
        '    return "response", json.dumps([foreign[0], json.loads(foreign[2]), unknown[0]]), {}\n'
        "serve(reply)\n"
    )
    foreign, error, unknown = json.loads(
        invoke(aws, provided(aws, LOOP + source), b"{}")["Payload"]
    )
    assert foreign == 400
    assert error["errorType"] == "InvalidRequestID"
    assert unknown == 404


def test_own_loop_gets_every_header_of_an_invocation(aws: Aws) -> None:
    name = provided(aws, HEADERS, Timeout=7)
    context = json.dumps({"custom": {"k": "v"}})
    before_ms = time.time() * 1000
    answer = invoke(
        aws,
        name,
        b"{}",
        ClientContext=base64.b64encode(context.encode()).decode(),
        TenantId="blue",
    )
    seen = json.loads(answer["Payload"])
    assert seen["Lambda-Runtime-Aws-Request-Id"]
    assert before_ms < int(seen["Lambda-Runtime-Deadline-Ms"]) - 7000 < before_ms + 5000
    assert seen["Lambda-Runtime-Invoked-Function-Arn"].endswith(f":function:{name}")
    assert seen["Lambda-Runtime-Trace-Id"].startswith("Root=1-")
    assert json.loads(seen["Lambda-Runtime-Client-Context"]) == json.loads(context)
    assert seen["Lambda-Runtime-Aws-Tenant-Id"] == "blue"


def test_wrapper_script_gets_the_command_line_of_the_runtime(aws: Aws) -> None:
    """The way of AWS's own example: options of the interpreter before the last argument."""
    script = '#!/bin/bash\nargs=("$@")\nexport SEEN="$#"\nexec "${args[@]:0:$#-1}" -X dev "${args[@]: -1}"\n'
    name = aws.make_function(
        "import os, sys\ndef handle(event, context): return [os.environ['SEEN'], sys.flags.dev_mode]",
        {"wrapper": script},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}},
    )
    assert aws.invoke(name, {}) == ["2", True]


def test_wrapper_script_of_a_layer_runs_a_loop_of_its_own(aws: Aws) -> None:
    script = '#!/bin/sh\nexec "$1" "${0%/*}/python/own_loop.py"\n'
    layer = aws.client("lambda").publish_layer_version(
        LayerName=f"l-{uuid.uuid4().hex[:8]}",
        Content={"ZipFile": archive({"own-loop": script, "python/own_loop.py": ECHO})},
    )
    name = aws.make_function(
        "raise ImportError('the handler is not for this runtime')",
        Layers=[layer["LayerVersionArn"]],
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/own-loop"}},
    )
    assert invoke(aws, name, b'{"x": 1.0}')["Payload"] == b'{"x": 1.0}'


def test_wrapper_script_may_start_its_loop_as_a_child(aws: Aws) -> None:
    script = '#!/bin/sh\nsetsid "$1" /dev/stdin <<EOF\n' + ECHO + "EOF\n"
    name = aws.make_function(
        "",
        {"wrapper": script},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}},
    )
    assert invoke(aws, name, b'{"x": 1.0}')["Payload"] == b'{"x": 1.0}'


def test_module_of_a_handler_may_serve_itself(aws: Aws) -> None:
    name = aws.make_function(ECHO)
    assert invoke(aws, name, b'{"x": 1.0}')["Payload"] == b'{"x": 1.0}'


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        ({}, {"Runtime": "provided.al2023"}, "bootstrap"),
        ({}, {"Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/none"}}}, "/opt/none"),
    ],
)
def test_what_starts_the_runtime_is_missed_by_name(
    aws: Aws, files: dict[str, str], settings: dict[str, Any], message: str
) -> None:
    name = aws.make_function("", files, **settings)
    error = json.loads(invoke(aws, name, b"{}")["Payload"])
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert message in error["errorMessage"]


def test_bootstrap_that_may_not_be_executed_is_told(aws: Aws) -> None:
    name = aws.make_function("", {"bootstrap": "no program"}, Runtime="provided.al2023")
    assert json.loads(invoke(aws, name, b"{}")["Payload"])["errorType"] == "Runtime.ExitError"
    assert any("permission denied" in line for line in aws.log_lines(f"/aws/lambda/{name}"))


def test_alias_is_in_the_arn_and_follows_its_version(aws: Aws) -> None:
    client = aws.client("lambda")
    name = provided(aws, HEADERS)
    first = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="orders", FunctionVersion=first)
    answer = invoke(aws, f"{name}:orders", b"{}")
    arn = json.loads(answer["Payload"])["Lambda-Runtime-Invoked-Function-Arn"]
    assert arn.endswith(f":function:{name}:orders")
    assert answer["ExecutedVersion"] == first
    client.update_function_code(FunctionName=name, ZipFile=archive(bootstrap(ECHO)))
    assert invoke(aws, f"{name}:orders", b"{}")["Payload"] != b"{}"
    second = client.publish_version(FunctionName=name)["Version"]
    client.update_alias(FunctionName=name, Name="orders", FunctionVersion=second)
    assert invoke(aws, f"{name}:orders", b"{}")["Payload"] == b"{}"
    assert invoke(aws, name, b"{}", Qualifier="orders")["ExecutedVersion"] == second


def test_function_of_an_alias_sees_the_alias_whoever_invokes_it(aws: Aws) -> None:
    client = aws.client("lambda")
    url, _ = aws.make_queue()
    name = aws.make_function(
        "import boto3\nsqs = boto3.client('sqs')\n"
        "def handle(event, context):\n"
        "  sqs.send_message(QueueUrl=event['url'], MessageBody=context.invoked_function_arn)",
        Timeout=30,
    )
    version = client.publish_version(FunctionName=name)["Version"]
    alias = client.create_alias(FunctionName=name, Name="orders", FunctionVersion=version)
    machine = aws.client("stepfunctions").create_state_machine(
        name=name,
        roleArn="arn:aws:iam::000000000000:role/test",
        definition=json.dumps(
            {
                "StartAt": "Call",
                "States": {"Call": {"Type": "Task", "Resource": alias["AliasArn"], "End": True}},
            }
        ),
    )
    aws.client("stepfunctions").start_execution(
        stateMachineArn=machine["stateMachineArn"], input=json.dumps({"url": url})
    )
    sqs = aws.client("sqs")
    found = wait_for(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    assert found[0]["Body"] == alias["AliasArn"]


def test_reservation_of_a_function_holds_for_its_aliases(aws: Aws) -> None:
    client = aws.client("lambda")
    name = provided(aws, ECHO)
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="orders", FunctionVersion=version)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as caught:
        invoke(aws, f"{name}:orders", b"{}")
    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"
