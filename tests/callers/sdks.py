"""Real SDKs in processes of their own, as a caller's code uses them, configured by variables alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPOSITORY: Final = Path(__file__).parents[2]
TOOLS: Final = REPOSITORY / ".tools"
_BOTO3: Final = """
import boto3, json, sys
from botocore.config import Config
client = boto3.client("lambda", config=Config(read_timeout=float(sys.argv[2])))
answer = client.invoke(FunctionName="orders", Payload=sys.argv[1])
print(json.dumps([answer["StatusCode"], answer.get("FunctionError"), answer["Payload"].read().decode()]))
"""
_AIOBOTOCORE: Final = """
import asyncio, json, sys
from aiobotocore.session import get_session
async def main():
    async with get_session().create_client("lambda") as client:
        answer = await client.invoke(FunctionName="orders", Payload=sys.argv[1])
        body = await answer["Payload"].read()
    print(json.dumps([answer["StatusCode"], answer.get("FunctionError"), body.decode()]))
asyncio.run(main())
"""
_SAY: Final = """
const say = (answer) => console.log(JSON.stringify(
  [answer.StatusCode, answer.FunctionError ?? null, Buffer.from(answer.Payload).toString()]));
"""
_JS_3: Final = f"""
const {{ LambdaClient, InvokeCommand }} = require("@aws-sdk/client-lambda");
{_SAY}
const call = new InvokeCommand({{ FunctionName: "orders", Payload: process.argv[1] }});
new LambdaClient({{}}).send(call).then(say);
"""
_JS_2: Final = f"""
const AWS = require("aws-sdk");
{_SAY}
new AWS.Lambda({{ endpoint: process.env.AWS_ENDPOINT_URL_LAMBDA }})
  .invoke({{ FunctionName: "orders", Payload: process.argv[1] }}).promise().then(say);
"""


class CallerError(Exception):
    """The caller's program ended with an exception, which is the text."""


class Seen(NamedTuple):
    """What a caller's code sees."""

    status: int
    error: str | None
    body: str


def _run(command: list[str], env: Mapping[str, str]) -> str:
    common = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
    }
    done = subprocess.run(
        command, env={**common, **env}, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise CallerError(done.stderr)
    return done.stdout


def by_boto3(env: Mapping[str, str], payload: str, read_timeout_s: int) -> Seen:
    """Call by the SDK for Python."""
    told = _run([sys.executable, "-c", _BOTO3, payload, str(read_timeout_s)], env)
    return Seen(*json.loads(told))


def by_aiobotocore(env: Mapping[str, str], payload: str, _: int) -> Seen:
    """Call by the SDK for Python's asynchronous form."""
    python = str(TOOLS / "callers" / "bin" / "python")
    return Seen(*json.loads(_run([python, "-c", _AIOBOTOCORE, payload], env)))


def by_cli(env: Mapping[str, str], payload: str, read_timeout_s: int) -> Seen:
    """Call by the AWS CLI."""
    with TemporaryDirectory() as folder:
        sent, reply = Path(folder) / "payload", Path(folder) / "reply"
        sent.write_text(payload)
        command = [str(TOOLS / "callers" / "bin" / each) for each in ("python", "aws")]
        command += ["--cli-read-timeout", str(read_timeout_s), "--output", "json"]
        command += ["lambda", "invoke", "--function-name", "orders"]
        told = json.loads(_run([*command, "--payload", f"fileb://{sent}", str(reply)], env))
        return Seen(told["StatusCode"], told.get("FunctionError"), reply.read_text())


def by_cli_with_plugin(env: Mapping[str, str], payload: str, read_timeout_s: int) -> Seen:
    """Call by the AWS CLI, whose own file of settings names the plugin."""
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        config.write_text("[plugins]\nreprise = reprise.boto3_plugin\n")
        return by_cli({**env, "AWS_CONFIG_FILE": str(config)}, payload, read_timeout_s)


def _by_node(code: str, env: Mapping[str, str], payload: str) -> Seen:
    modules = {"NODE_PATH": str(TOOLS / "js" / "node_modules")}
    return Seen(*json.loads(_run(["node", "-e", code, "--", payload], {**env, **modules})))


def by_javascript_3(env: Mapping[str, str], payload: str, _: int) -> Seen:
    """Call by the SDK for JavaScript v3."""
    return _by_node(_JS_3, env, payload)


def by_javascript_2(env: Mapping[str, str], payload: str, _: int) -> Seen:
    """Call by the SDK for JavaScript v2, which has to be told the address."""
    return _by_node(_JS_2, env, payload)


CALLERS: Final[dict[str, Callable[[Mapping[str, str], str, int], Seen]]] = {
    "endpoint, boto3": by_boto3,
    "endpoint, aiobotocore": by_aiobotocore,
    "endpoint, AWS CLI 1": by_cli,
    "endpoint, JavaScript v3": by_javascript_3,
    "endpoint, JavaScript v2 (address in code)": by_javascript_2,
    "plugin, boto3": by_boto3,
    "plugin, AWS CLI 1": by_cli_with_plugin,
}
