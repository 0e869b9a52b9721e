"""Functions of the Node.js runtimes, under whatever Node.js is on the PATH."""

from __future__ import annotations

import base64
import json
import shutil
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from local_engine.control import Engine
from local_engine.testing import Aws, archive

if TYPE_CHECKING:
    from pathlib import Path

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")


def node(aws: Aws, files: dict[str, str], **settings: Any) -> str:
    return aws.make_function(
        "", files, **{"Runtime": "nodejs22.x", "Handler": "index.handler", **settings}
    )


@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"index.mjs": "export const handler = async (event) => event.x"}, "index.handler"),
        ({"index.js": "exports.handler = async (event) => event.x"}, "index.handler"),
        ({"index.cjs": "exports.handler = async (event) => event.x"}, "index.handler"),
        (
            {
                "package.json": '{"type": "module"}',
                "src/index.js": "await 1; export const handler = (event) => Promise.resolve(event.x)",
            },
            "src/index.handler",
        ),
        ({"index.js": "exports.a = {b: async (event) => event.x}"}, "index.a.b"),
        (
            {"index.js": "exports.handler = (event, context, done) => done(null, event.x)"},
            "index.handler",
        ),
        (
            {"index.js": "exports.handler = (event, context) => context.succeed(event.x)"},
            "index.handler",
        ),
    ],
)
def test_handler_is_found_and_called(aws: Aws, files: dict[str, str], handler: str) -> None:
    name = node(aws, files, Handler=handler)
    assert [aws.invoke(name, {"x": [1, "é"]}), aws.invoke(name, {})] == [[1, "é"], None]


@pytest.mark.parametrize(("waits", "seen"), [("true", ["late"]), ("false", [])])
def test_callback_waits_for_the_event_loop_unless_told_otherwise(
    aws: Aws, waits: str, seen: list[str]
) -> None:
    name = node(
        aws,
        {
            "index.js": "exports.handler = (event, context, callback) => {\n"
            f"  context.callbackWaitsForEmptyEventLoop = {waits};\n"
            "  const seen = [];\n"
            "  setTimeout(() => seen.push('late'), 200);\n"
            "  callback(null, seen);\n"
            "}"
        },
    )
    assert aws.invoke(name, {}) == seen


def test_node_24_takes_no_callbacks(aws: Aws) -> None:
    name = node(
        aws,
        {"index.js": "exports.handler = (event, context, done) => done()"},
        Runtime="nodejs24.x",
    )
    assert aws.invoke(name, {})["errorType"] == "Runtime.CallbackHandlerDeprecated"


def test_context_of_node_is_that_of_lambda(aws: Aws) -> None:
    source = (
        "export const handler = async (event, context) => "
        "({...context, left: context.getRemainingTimeInMillis(), "
        "trace: process.env._X_AMZN_TRACE_ID, env: process.env.AWS_EXECUTION_ENV})"
    )
    name = node(aws, {"index.mjs": source}, MemorySize=256)
    context = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
    seen = aws.invoke(name, {}, ClientContext=context)
    assert seen["functionName"] == name
    assert seen["functionVersion"] == "$LATEST"
    assert seen["invokedFunctionArn"].endswith(f":function:{name}")
    assert seen["memoryLimitInMB"] == "256"
    assert seen["logGroupName"] == f"/aws/lambda/{name}"
    assert seen["logStreamName"]
    assert seen["awsRequestId"]
    assert seen["callbackWaitsForEmptyEventLoop"] is True
    assert seen["clientContext"] == {"custom": {"k": "v"}}
    assert 5_000 < seen["left"] <= 10_000
    assert seen["trace"].startswith("Root=1-")
    assert seen["env"] == "AWS_Lambda_nodejs22.x"


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("exports.handler = async () => { throw new TypeError('no') }", "TypeError", "no"),
        ("exports.handler = () => { throw new TypeError('no') }", "TypeError", "no"),
        (
            "exports.handler = (e, c, callback) => callback(new RangeError('no'))",
            "RangeError",
            "no",
        ),
        ("exports.handler = async () => { throw 'text' }", "string", "text"),
        ("exports.handler = async () => ({ n: 1n })", "TypeError", "BigInt"),
        (
            "exports.handler = () => setTimeout(() => { throw new RangeError('no') })",
            "RangeError",
            "no",
        ),
        (
            "exports.handler = () => { Promise.reject(new Error('no')) }",
            "Runtime.UnhandledPromiseRejection",
            "Error: no",
        ),
        ("require('nothing')", "Runtime.ImportModuleError", "Cannot find module 'nothing'"),
        (
            "exports.other = 1",
            "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported",
        ),
        ("exports.handler = ", "Runtime.UserCodeSyntaxError", "SyntaxError"),
        ("throw new RangeError('at load')", "RangeError", "at load"),
        ("process.exit(7)", "Runtime.ExitError", "exit status 7"),
    ],
)
def test_errors_have_the_shape_of_lambda(aws: Aws, source: str, kind: str, message: str) -> None:
    name = node(aws, {"index.js": source})
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    error = json.load(answer["Payload"])
    assert answer["FunctionError"] == "Unhandled"
    assert error["errorType"] == kind
    assert message in error["errorMessage"]
    assert isinstance(error.get("trace", []), list)


def test_wrapper_script_starts_node_with_options_of_its_own(aws: Aws) -> None:
    script = '#!/bin/bash\nexec "${@:1:$#-1}" --require "$LAMBDA_TASK_ROOT/first.cjs" "${@: -1}"\n'
    files = {
        "wrapper": script,
        "first.cjs": "globalThis.first = 'loaded'",
        "index.js": "exports.handler = async () => globalThis.first",
    }
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}
    name = node(aws, files, Environment={"Variables": variables})
    assert aws.invoke(name, {}) == "loaded"


def test_environment_of_node_outlives_an_error_and_keeps_its_state(aws: Aws) -> None:
    source = (
        "let calls = 0;\n"
        "exports.handler = async (event) => { calls += 1; if (event.fail) throw new Error('asked'); "
        "return [calls, process.pid] }"
    )
    name = node(aws, {"index.js": source})
    first = aws.invoke(name, {})
    aws.invoke(name, {"fail": True})
    assert aws.invoke(name, {}) == [3, first[1]]


@pytest.mark.parametrize("folder", ["nodejs/node_modules", "nodejs/node22/node_modules"])
@pytest.mark.parametrize("kind", ["mjs", "cjs"])
def test_modules_of_layers_are_found(aws: Aws, folder: str, kind: str) -> None:
    files = {
        f"{folder}/from-layer/package.json": '{"name": "from-layer", "main": "main.js"}',
        f"{folder}/from-layer/main.js": "exports.value = 'layer'",
    }
    layer = aws.client("lambda").publish_layer_version(
        LayerName=f"l-{uuid.uuid4().hex[:8]}", Content={"ZipFile": archive(files)}
    )
    source = {
        "mjs": "import { value } from 'from-layer'; export const handler = async () => value",
        "cjs": "const { value } = require('from-layer'); exports.handler = async () => value",
    }
    name = node(aws, {f"index.{kind}": source[kind]}, Layers=[layer["LayerVersionArn"]])
    assert aws.invoke(name, {}) == "layer"


def test_own_modules_come_before_those_of_layers(aws: Aws) -> None:
    layer = aws.client("lambda").publish_layer_version(
        LayerName=f"l-{uuid.uuid4().hex[:8]}",
        Content={
            "ZipFile": archive({"nodejs/node_modules/it/index.js": "module.exports = 'layer'"})
        },
    )
    files = {
        "index.mjs": "import it from 'it'; export const handler = async () => it",
        "node_modules/it/index.js": "module.exports = 'own'",
    }
    name = node(aws, files, Layers=[layer["LayerVersionArn"]])
    assert aws.invoke(name, {}) == "own"


def test_console_writes_one_event_a_line_with_the_id_of_the_call(aws: Aws) -> None:
    source = (
        "exports.handler = async (event, context) => { console.log('two\\nlines %d', 2); "
        "console.error({a: 1}); return context.awsRequestId }"
    )
    name = node(aws, {"index.js": source})
    request_id = aws.invoke(name, {})
    lines = [line.split("\t")[1:] for line in aws.log_lines(f"/aws/lambda/{name}", "?INFO ?ERROR")]
    assert lines == [
        [request_id, "INFO", "two\nlines 2"],
        [request_id, "ERROR", "{ a: 1 }"],
    ]


def test_console_writes_json_where_the_function_logs_json(aws: Aws) -> None:
    source = "exports.handler = async () => { console.debug('no'); console.warn('yes') }"
    config = {"LogFormat": "JSON", "SystemLogLevel": "WARN"}
    name = node(aws, {"index.js": source}, LoggingConfig=config)
    aws.invoke(name, {})
    (line,) = map(json.loads, aws.log_lines(f"/aws/lambda/{name}"))
    assert (line["level"], line["message"]) == ("WARN", "yes")


def test_missing_node_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = Engine(state_dir=tmp_path / "engine")
    engine.start()
    try:
        aws = Aws.at(engine)
        name = node(aws, {"index.js": "exports.handler = async () => 1"})
        error = aws.invoke(name, {})
    finally:
        engine.stop()
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert "put a node on the PATH" in error["errorMessage"]
