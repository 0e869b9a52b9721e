"""Python that calls Lambda by boto3 adopts the plugin by settings alone, and loses nothing."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

from e2e.world import GUESTS, new_run
from reprise.ledger import State
from reprise_cli.calling import InvokerClient
from reprise_cli.place import exports

if TYPE_CHECKING:
    from e2e.world import World

CALLS = 20
CALLER = """
import boto3, json

client = boto3.client("lambda")


def handler(event, context):
    payload = json.dumps(event["payload"])
    response = client.invoke(FunctionName=event["target"], Payload=payload, **event.get("more", {}))
    body = json.loads(response["Payload"].read())
    return {"error": response.get("FunctionError"), "body": body, "status": response["StatusCode"]}
"""
"""A function as it is today; nothing in it is of this project."""
SCRIPT = """
import boto3, json, sys

response = boto3.client("lambda").invoke(FunctionName=sys.argv[1], Payload=sys.argv[2])
print(json.dumps([response["StatusCode"], response.get("FunctionError"), json.load(response["Payload"])]))
"""
PLUGIN = {"BOTOCORE_EXPERIMENTAL__PLUGINS": "reprise=reprise.boto3_plugin"}


def _make_caller(world: World, name: str) -> str:
    """Deploy a function that calls guests, with a role of its own, and return the role."""
    iam, role = world.client("iam"), f"{name}-role"
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    document = {"Version": "2012-10-17", "Statement": [trust | {"Action": "sts:AssumeRole"}]}
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(document))
    allowed = [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": GUESTS},
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/{name}:*",
        },
    ]
    iam.put_role_policy(
        RoleName=role,
        PolicyName="own",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allowed}),
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("caller.py", CALLER)
    model = world.functions.get_function_configuration(FunctionName=world.stack.chaos_target)
    world.functions.create_function(
        FunctionName=name,
        Code={"ZipFile": buffer.getvalue()},
        Runtime=model["Runtime"],
        Role=made["Role"]["Arn"],
        Handler="caller.handler",
        Timeout=30,
    )
    return role


def _layer(world: World) -> str:
    (stack,) = world.client("cloudformation").describe_stacks(StackName=world.stack.name)["Stacks"]
    (arn,) = [each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == "LayerArn"]
    return str(arn)


def _ask(
    world: World, caller: str, target: str, run: str, number: int, **more: str
) -> dict[str, Any]:
    payload = {"run": run, "call": number, "behaviour": "ok"}
    event = {"target": target, "payload": payload, "more": more}
    response = world.functions.invoke(
        FunctionName=caller, Payload=json.dumps(event), LogType="Tail"
    )
    answer: dict[str, Any] = json.loads(response["Payload"].read())
    assert "FunctionError" not in response, base64.b64decode(response["LogResult"]).decode()
    return answer


def test_a_function_adopts_it_by_a_layer_and_a_variable_and_loses_no_call(
    world: World, guest: str
) -> None:
    name, run = "a-caller", new_run()
    role = _make_caller(world, name)
    world.reprise("sources", "add", name, "--targets", GUESTS, "--role", role, "--json")
    # The two lines that change. Stack and source have the names that go without saying.
    world.functions.update_function_configuration(
        FunctionName=name, Layers=[_layer(world)], Environment={"Variables": PLUGIN}
    )
    passed = _ask(world, name, guest, run, 0)
    assert passed == {"error": None, "body": {"call": 0, "run": run}, "status": 200}

    world.hold(guest)
    kept = [_ask(world, name, guest, run, number) for number in range(1, CALLS + 1)]
    assert {(each["status"], each["error"]) for each in kept} == {(202, "Captured")}
    ids = [each["body"]["reprise"]["id"] for each in kept]
    world.let_go(guest)
    rows = world.await_end(ids)
    assert {row.state for row in rows} == {State.SUCCEEDED}
    assert world.receipts(run) == [(number, True) for number in range(CALLS + 1)]

    removed = world.reprise("sources", "remove", name, "--json").document
    assert removed["role"] == role
    assert world.client("iam").list_role_policies(RoleName=role)["PolicyNames"] == ["own"]
    world.functions.delete_function(FunctionName=name)


def test_a_key_of_the_callers_own_is_one_effect_with_what_the_command_allows_its_role(
    world: World, guest: str
) -> None:
    name, run = "a-keyed-caller", new_run()
    role = _make_caller(world, name)
    added = ("sources", "add", name, "--targets", GUESTS, "--role", role, "--keys")
    assert world.reprise(*added).code == 0
    world.functions.update_function_configuration(
        FunctionName=name, Layers=[_layer(world)], Environment={"Variables": PLUGIN}
    )
    custom = {"custom": {"reprise": {"idempotency_key": "order-1"}}}
    context = base64.b64encode(json.dumps(custom).encode()).decode()

    world.hold(guest)
    kept = _ask(world, name, guest, run, 1, ClientContext=context)
    assert kept["error"] == "Captured"
    call_id = kept["body"]["reprise"]["id"]
    assert call_id.startswith(f"{guest}:order-1~")
    world.let_go(guest)
    (row,) = world.await_end([call_id])
    assert row.state is State.SUCCEEDED
    # The user clicks again: nothing runs, and the late result is there.
    again = _ask(world, name, guest, run, 1, ClientContext=context)
    assert again == {"error": None, "body": {"call": 1, "run": run}, "status": 200}
    assert world.receipts(run) == [(1, True)]
    world.functions.delete_function(FunctionName=name)


def test_a_script_adopts_it_by_variables_alone(world: World, guest: str) -> None:
    made = world.reprise("sources", "add", "a-script", "--targets", GUESTS, "--json").document
    run = new_run()
    world.hold(guest)
    done = subprocess.run(
        [
            *(sys.executable, "-c", SCRIPT, guest),
            json.dumps({"run": run, "call": 1, "behaviour": "ok"}),
        ],
        env={**exports(world.place), **PLUGIN, **made["short_environment"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    # Standard output is the script's own.
    (line,) = done.stdout.splitlines()
    status, error, body = json.loads(line)
    assert (status, error) == (202, "Captured"), done.stderr

    world.let_go(guest)
    (row,) = world.await_end([body["reprise"]["id"]])
    assert row.state is State.SUCCEEDED
    assert world.receipts(run) == [(1, True)]
    # Whoever has the token of that answer asks the invoker, in any language, though its source is another.
    token = body["reprise"]["status_token"]
    asked = {"StatusOf": row.id, "StatusToken": token, "WaitSeconds": 5}
    answer = InvokerClient(world.functions, world.stack.invoker).call(asked).document
    assert (answer["StatusCode"], answer["reprise"]["state"]) == (200, "succeeded")
    assert json.loads(answer["Payload"]) == {"call": 1, "run": run}
