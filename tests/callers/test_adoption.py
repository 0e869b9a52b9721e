"""Existing functions adopt the endpoint or the plugin by two lines of configuration, and lose nothing.

The functions are those of examples/, the layers those of the add-on and the root stack; the roles get what
`reprise sources add` gives them.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from callers.sdks import REPOSITORY, TOOLS
from e2e.world import GUEST_PREFIX, GUESTS, new_run

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.world import World
    from reprise_cli.deploy import Deployment

CALLS: Final = 20
SHOPS: Final = REPOSITORY / "examples" / "endpoint"
ENDPOINT: Final = {"AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9350"}
PLUGIN: Final = {"BOTOCORE_EXPERIMENTAL__PLUGINS": "reprise=reprise.boto3_plugin"}


class Adoption(NamedTuple):
    """An existing function, and what is added to its configuration."""

    folder: str
    handler: str
    runtime: str
    layer: str
    variables: dict[str, str]


ADOPTIONS: Final = {
    "node, endpoint": Adoption(
        "shop", "index.handler", "nodejs22.x", "EndpointX86LayerArn", ENDPOINT
    ),
    "python, endpoint": Adoption(
        "shop-python", "shop.handler", "", "EndpointX86LayerArn", ENDPOINT
    ),
    "python, plugin": Adoption("shop-python", "shop.handler", "", "LayerArn", PLUGIN),
}


@pytest.fixture(scope="session")
def outputs(world: World, deployment: Deployment) -> dict[str, str]:
    """Deploy the add-on, and return what it and the root stack name."""
    addon = deployment.beside("endpoint", stack_name="reprise-endpoint")
    addon.build()
    addon.deploy()
    cloudformation = world.client("cloudformation")
    return {
        output["OutputKey"]: output["OutputValue"]
        for name in (world.stack.name, "reprise-endpoint")
        for output in cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    }


def _archive(folder: Path, modules: Path | None) -> bytes:
    """Return a function's code, with the SDK that Lambda's own Node.js runtimes bring."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
        for path in (modules / "node_modules").rglob("*") if modules else ():
            is_code = path.suffix in {".js", ".mjs", ".cjs", ".json"} and path.is_file()
            if is_code and path.relative_to(modules or path).parts[1] != "aws-sdk":
                archive.write(path, str(path.relative_to(modules or path)))
    return buffer.getvalue()


def _make_role(world: World, name: str) -> str:
    """Make the role that an existing function has."""
    iam = world.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    document = {"Version": "2012-10-17", "Statement": [trust | {"Action": "sts:AssumeRole"}]}
    made = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(document),
    )
    allowed = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": GUESTS}
    iam.put_role_policy(
        RoleName=name,
        PolicyName="call-orders",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    return str(made["Role"]["Arn"])


@pytest.mark.parametrize("way", ADOPTIONS)
def test_existing_function_adopts_it_by_two_lines_and_loses_no_call(
    world: World, outputs: dict[str, str], guest: str, way: str
) -> None:
    adoption, run = ADOPTIONS[way], new_run()
    name = GUEST_PREFIX + way.replace(", ", "-")
    model = world.functions.get_function_configuration(FunctionName=world.stack.chaos_target)
    is_node = adoption.runtime.startswith("node")
    before = {"ORDERS": guest}
    world.functions.create_function(
        FunctionName=name,
        Role=_make_role(world, name),
        Runtime=adoption.runtime or model["Runtime"],
        Handler=adoption.handler,
        Timeout=30,
        MemorySize=512,
        Environment={"Variables": before},
        Code={"ZipFile": _archive(SHOPS / adoption.folder, TOOLS / "js" if is_node else None)},
    )

    def order(number: int) -> tuple[Any, str | None]:
        event = {"run": run, "call": number, "behaviour": "ok"}
        answer = world.functions.invoke(FunctionName=name, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")

    assert order(1) == ({"run": run, "call": 1}, None)
    added = world.reprise("sources", "add", name, "--targets", GUESTS, "--role", name)
    assert added.code == 0, added.stderr
    # The two lines.
    world.functions.update_function_configuration(
        FunctionName=name,
        Layers=[outputs[adoption.layer]],
        Environment={"Variables": {**before, **adoption.variables}},
    )
    assert order(2) == ({"run": run, "call": 2}, None)
    world.hold(guest)
    kept = [order(number) for number in range(3, CALLS + 1)]
    assert {error for _, error in kept} == {None}, world.complaints()[-6:]
    world.let_go(guest)
    assert order(CALLS + 1) == ({"run": run, "call": CALLS + 1}, None)
    rows = world.await_end([reply["accepted"] for reply, _ in kept], limit_s=120)
    assert {row.state for row in rows} == {"succeeded"}
    # Lost none, twice none.
    assert world.receipts(run) == [(number, True) for number in range(1, CALLS + 2)]
    world.functions.delete_function(FunctionName=name)
