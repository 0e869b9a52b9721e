"""An existing Python function adopts the endpoint by two lines; tests/callers has a Node.js one, too."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore.config import Config

from e2e.world import GUEST_PREFIX, GUESTS, new_run, poll
from reprise.ledger import State
from reprise_cli.deploy import REPOSITORY
from reprise_cli.place import exports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.world import World

MACHINE: Final = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[os.uname().machine]
FOLDER: Final = REPOSITORY / "dist" / "endpoint" / MACHINE
BINARY: Final = FOLDER / "extensions" / "reprise"

pytestmark = pytest.mark.skipif(not BINARY.is_file(), reason="no binary: make endpoint")

# What a shop wrote before it had heard of us.
PYTHON_SHOP: Final = """
import json, os
import boto3

orders = boto3.client("lambda")

def handler(event, context):
    answer = orders.invoke(FunctionName=os.environ["ORDERS"], Payload=json.dumps(event))
    return {
        "status": answer["StatusCode"],
        "error": answer.get("FunctionError"),
        "reply": json.loads(answer["Payload"].read()),
    }
"""
CLICK: Final = """
import base64, boto3, json, sys
_, function, key, body = sys.argv
context = json.dumps({"custom": {"reprise": {"idempotency_key": key}}})
answer = boto3.client("lambda").invoke(
    FunctionName=function, Payload=body, ClientContext=base64.b64encode(context.encode()).decode()
)
call_id = answer["ResponseMetadata"]["HTTPHeaders"].get("x-reprise-id")
reply = answer["Payload"].read().decode()
print(json.dumps([answer["StatusCode"], answer.get("FunctionError"), call_id, reply]))
"""


def archive(files: dict[str, str], folder: Path | None = None) -> bytes:
    """Return a zip of texts, and of a folder's files with their modes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)
        for path in sorted(folder.rglob("*")) if folder is not None else ():
            if path.is_file():
                made.write(path, str(path.relative_to(folder or path)))
    return buffer.getvalue()


def allow(world: World, role: str, source: str) -> None:
    """Make a source, and give a role what it needs, as `reprise sources add --role` does."""
    made = world.reprise("sources", "add", source, "--targets", GUESTS, "--json").document
    parameters = {
        "Effect": "Allow",
        "Action": "ssm:GetParameter",
        "Resource": "arn:aws:ssm:us-east-1:000000000000:parameter/reprise/*",
    }
    invoke = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": GUESTS}
    # The engine checks PutLogEvents against the group's own ARN, AWS against the stream's.
    lines = {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "arn:aws:logs:us-east-1:000000000000:log-group:/reprise/reprise/capture",
    }
    document = {
        "Version": "2012-10-17",
        "Statement": [*made["statements"], parameters, invoke, lines],
    }
    world.client("iam").put_role_policy(
        RoleName=role, PolicyName=source, PolicyDocument=json.dumps(document)
    )


@pytest.fixture(scope="module")
def layer(world: World) -> str:
    made = world.functions.publish_layer_version(
        LayerName="reprise-endpoint", Content={"ZipFile": archive({}, FOLDER)}
    )
    return str(made["LayerVersionArn"])


@pytest.fixture(scope="module")
def role(world: World) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    made = world.client("iam").create_role(
        RoleName="web-shop", AssumeRolePolicyDocument=json.dumps(trust)
    )
    return str(made["Role"]["Arn"])


def shop_of(world: World, name: str, role: str, orders: str, **settings: Any) -> str:
    world.functions.create_function(
        FunctionName=name,
        Role=role,
        Timeout=30,
        Environment={"Variables": {"ORDERS": orders}},
        **settings,
    )
    return name


def adopt(world: World, name: str, layer: str, role: str) -> None:
    """Change the configuration of a function: its layers, and one variable."""
    allow(world, role.rpartition("/")[2], name)
    before = world.functions.get_function_configuration(FunctionName=name)
    variables = before["Environment"]["Variables"]
    world.functions.update_function_configuration(
        FunctionName=name,
        Layers=[layer],
        Environment={
            "Variables": {**variables, "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9350"}
        },
    )


def ask(world: World, shop: str, event: object) -> dict[str, Any]:
    answer = world.functions.invoke(FunctionName=shop, Payload=json.dumps(event))
    reply: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, reply
    return reply


def survives(world: World, shop: str, orders: str) -> None:
    """Let a shop call while its target refuses everything, and prove that each call ran once in the end."""
    run = new_run()
    fine = ask(world, shop, {"run": run, "call": 1, "behaviour": "ok"})
    assert (fine["status"], fine["error"]) == (200, None)
    world.hold(orders)
    ids = []
    for number in range(2, 6):
        kept = ask(world, shop, {"run": run, "call": number, "behaviour": "ok"})
        assert (kept["status"], kept["error"]) == (202, "Captured"), kept
        assert kept["reply"]["errorType"] == "Reprise.Captured"
        ids.append(kept["reply"]["reprise"]["id"])
    world.let_go(orders)
    rows = world.await_end(ids)
    assert {row.state for row in rows} == {State.SUCCEEDED}
    assert world.receipts(run) == [(number, True) for number in range(1, 6)]


def test_an_existing_python_function_adopts_it_and_loses_no_call(
    world: World, guest: str, layer: str, role: str
) -> None:
    model = world.functions.get_function_configuration(FunctionName=world.stack.chaos_target)
    shop = shop_of(
        world,
        f"{GUEST_PREFIX}python-shop",
        role,
        guest,
        Runtime=model["Runtime"],
        Handler="shop.handler",
        Code={"ZipFile": archive({"shop.py": PYTHON_SHOP})},
    )
    adopt(world, shop, layer, role)
    survives(world, shop, guest)


@contextmanager
def daemon(world: World, source: str) -> Iterator[str]:
    """Run the endpoint on this host, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    env = {
        **exports(world.place),
        "REPRISE_SOURCE": source,
        "REPRISE_ENDPOINT_PORT": str(port),
        "HOME": "/nonexistent",
    }
    process = subprocess.Popen([BINARY], env=env, stderr=subprocess.PIPE)
    try:
        pause = Event()
        for _ in range(400):
            if (
                subprocess.run(
                    [BINARY, "health"], env=env, capture_output=True, check=False
                ).returncode
                == 0
            ):
                break
            pause.wait(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_call_beside_a_daemon_is_kept_and_its_key_is_one_effect(world: World, guest: str) -> None:
    world.reprise("sources", "add", "a-laptop", "--targets", GUESTS, "--json")
    run = new_run()
    body = json.dumps({"run": run, "call": 1, "behaviour": "ok"})

    with daemon(world, "a-laptop") as url:

        def ask_again() -> list[Any]:
            done = subprocess.run(
                [sys.executable, "-c", CLICK, guest, run, body],
                env={**exports(world.place), "AWS_ENDPOINT_URL_LAMBDA": url},
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            answer: list[Any] = json.loads(done.stdout.splitlines()[-1])
            return answer

        world.hold(guest)
        status, error, call_id, _ = ask_again()
        assert (status, error) == (202, "Captured")
        # Once the ledger knows the call, another click is told of it and nothing runs.
        poll(lambda: world.ledger.get(call_id))
        assert ask_again()[:3] == [202, "Captured", call_id]
        world.let_go(guest)
        (row,) = world.await_end([call_id])
        assert row.state is State.SUCCEEDED
        status, error, late_id, reply = ask_again()
        assert (status, error, late_id) == (200, None, call_id)
        assert reply
        assert world.receipts(run) == [(1, True)]


def test_callers_in_a_storm_lose_no_call_and_none_runs_twice(world: World, guest: str) -> None:
    """A target that comes and goes while eight threads call it, by an SDK that retries as it is made."""
    world.reprise("sources", "add", "a-storm", "--targets", GUESTS, "--json")
    run, count = new_run(), 160
    with daemon(world, "a-storm") as url:
        client = boto3.client(
            "lambda",
            endpoint_url=url,
            region_name=world.place.region,
            aws_access_key_id=world.place.access_key,
            aws_secret_access_key=world.place.secret_key,
            config=Config(retries={"mode": "standard"}, max_pool_connections=8),
        )

        def call(number: int) -> tuple[str | None, str | None]:
            if number % 40 == 10:
                world.hold(guest)
            if number % 40 == 30:
                world.let_go(guest)
            body = json.dumps({"run": run, "call": number, "behaviour": "ok"})
            answer = client.invoke(FunctionName=guest, Payload=body)
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
            assert "x-reprise-not-captured" not in headers, headers
            return answer.get("FunctionError"), headers.get("x-reprise-id")

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(call, range(1, count + 1)))
    world.let_go(guest)
    kept = [call_id for error, call_id in answers if error == "Captured" and call_id is not None]
    assert {error for error, _ in answers} == {None, "Captured"}
    assert len(set(kept)) == len(kept) > 0
    rows = world.await_end(kept, limit_s=120)
    assert {row.state for row in rows} == {State.SUCCEEDED}
    # Each of them once, whether it was answered at once or replayed.
    assert world.receipts(run) == [(number, True) for number in range(1, count + 1)]
