"""What real SDKs make of the endpoint's answers, each in a process of its own, configured by one variable.

    .venv/bin/python tests/endpoint_sdks.py    prints the table of docs/howto/local-endpoint.md

The AWS CLI is used where `aws` is on PATH, and the SDK for JavaScript v3 where REPRISE_JS_SDK names a folder
with `node_modules/@aws-sdk/client-lambda` in it; tests/endpoint/test_sdks.py holds every cell.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import boto3
from moto import mock_aws

from endpoint_place import FINE, LOST, THROTTLED, Answer, World, run

if TYPE_CHECKING:
    from collections.abc import Callable

JS_SDK: Final = os.environ.get("REPRISE_JS_SDK", "")
_BOTO3: Final = """
import boto3, json, sys
answer = boto3.client("lambda").invoke(FunctionName="orders", Payload=sys.argv[1])
print(json.dumps([answer["StatusCode"], answer.get("FunctionError"), answer["Payload"].read().decode()]))
"""
_JS: Final = """
const [, folder, Payload] = process.argv;
const { LambdaClient, InvokeCommand } = require(folder + "/node_modules/@aws-sdk/client-lambda");
new LambdaClient({}).send(new InvokeCommand({ FunctionName: "orders", Payload })).then((answer) =>
  console.log(JSON.stringify(
    [answer.StatusCode, answer.FunctionError ?? null, Buffer.from(answer.Payload).toString()])));
"""


class Seen(NamedTuple):
    """What a caller's code sees."""

    status: int
    error: str | None
    body: str


class SdkError(Exception):
    """The caller's program ended with an exception, which is the text."""

    world: World


def _run(command: list[str], url: str) -> str:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_LAMBDA": url,
        # pyenv's shims ask for it.
        **{name: text for name, text in os.environ.items() if name.startswith("PYENV")},
    }
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise SdkError(done.stderr)
    return done.stdout


def by_boto3(url: str, payload: str) -> Seen:
    """Call by the SDK for Python."""
    return Seen(*json.loads(_run([sys.executable, "-c", _BOTO3, payload], url)))


def by_cli(url: str, payload: str) -> Seen:
    """Call by the AWS CLI."""
    with TemporaryDirectory() as folder:
        sent, reply = Path(folder) / "payload", Path(folder) / "reply"
        sent.write_text(payload)
        command = ["aws", "lambda", "invoke", "--function-name", "orders", "--output", "json"]
        told = json.loads(_run([*command, "--payload", f"fileb://{sent}", str(reply)], url))
        return Seen(told["StatusCode"], told.get("FunctionError"), reply.read_text())


def by_javascript(url: str, payload: str) -> Seen:
    """Call by the SDK for JavaScript v3."""
    return Seen(*json.loads(_run(["node", "-e", _JS, "--", JS_SDK, payload], url)))


SDKS: Final[dict[str, Callable[[str, str], Seen]]] = {
    "boto3": by_boto3,
    **({"AWS CLI": by_cli} if shutil.which("aws") else {}),
    **({"JavaScript v3": by_javascript} if JS_SDK and shutil.which("node") else {}),
}


class Case(NamedTuple):
    """What Lambda does, and what that is to the caller."""

    answer: Answer
    status: int
    error: str | None
    lines: int


_ACCOUNT: Final = {"Reason": "ConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."}
_FAILED: Final = b'{"errorType": "ValueError", "errorMessage": "bad order"}'
CASES: Final = {
    "429 of the function": Case(THROTTLED, 202, "Captured", 1),
    "429 of the account": Case(
        Answer(429, json.dumps(_ACCOUNT).encode(), THROTTLED.headers), 202, "Captured", 1
    ),
    "5xx": Case(
        Answer(500, b'{"message": "internal"}', {"x-amzn-errortype": "ServiceException"}),
        202,
        "Captured",
        1,
    ),
    "no answer in time": Case(FINE, 202, "Captured", 1),
    "connection lost": Case(LOST, 202, "Captured", 1),
    "function error": Case(
        Answer(200, _FAILED, {"x-amz-function-error": "Unhandled"}), 200, "Unhandled", 0
    ),
    "success": Case(FINE, 200, None, 0),
}


def try_out(sdk: str, case: str, dynamodb: Any, **environment: str) -> tuple[Seen, World]:
    """Make one call by an SDK, and return what it saw and what became of the call.

    Raises:
        SdkError: If that was an exception; it has the world, too.
    """
    world = World(dynamodb, answer=CASES[case].answer)
    if case == "no answer in time":
        world.meanwhile = lambda: Event().wait(1.5)
    for place in run(world, REPRISE_CALL_TIMEOUT_S="1", **environment):
        try:
            return SDKS[sdk](place.url, '{"n": 1}'), world
        except SdkError as error:
            error.world = world
            raise
    raise AssertionError


def main() -> None:
    """Print the table: what the caller sees, and how often the call was sent."""
    os.environ.update(
        AWS_ACCESS_KEY_ID="t", AWS_SECRET_ACCESS_KEY="t", AWS_DEFAULT_REGION="us-east-1"
    )
    rows = [["", *CASES], ["---"] * (len(CASES) + 1)]
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        for sdk in SDKS:
            cells = [sdk]
            for case in CASES:
                seen, world = try_out(sdk, case, dynamodb)
                kept = ", kept" if world.records() else ""
                sends = f"{len(world.sends)} send" + "s" * (len(world.sends) != 1)
                cells.append(f"{seen.status} {seen.error or ''}".strip() + f"{kept}; {sends}")
            rows.append(cells)
    sys.stdout.writelines(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    main()
