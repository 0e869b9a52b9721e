"""`reprise doors` on moto's Lambda."""

from __future__ import annotations

import io
import zipfile
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from typer.testing import CliRunner

from functional.cli.test_commands import Cloud, MotoApp, cloud, document_of
from reprise_cli.main import app
from reprise_cli.stack import Stack, from_outputs
from unit.cli.test_stack import OUTPUTS

if TYPE_CHECKING:
    from typer.testing import Result

__all__ = ["cloud"]
INVOKER = OUTPUTS["InvokerFunction"]


@pytest.fixture
def functions(cloud: Cloud) -> Any:
    del cloud
    role = boto3.client("iam").create_role(RoleName="invoker", AssumeRolePolicyDocument="{}")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("main.py", "")
    client = boto3.client("lambda")
    client.create_function(
        FunctionName=INVOKER,
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="main.run",
        Code={"ZipFile": archive.getvalue()},
    )
    return client


def run(front_doors: str, *arguments: str) -> Result:
    class Deployed(MotoApp):
        @cached_property
        def stack(self) -> Stack:
            outputs = OUTPUTS | ({"FrontDoors": front_doors} if front_doors else {})
            return from_outputs(self.options.stack_name, outputs, "CREATE_COMPLETE")

    return CliRunner().invoke(app, [*arguments], obj=Deployed)


def aliases(functions: Any) -> dict[str, str]:
    found = functions.list_aliases(FunctionName=INVOKER)["Aliases"]
    return {alias["Name"]: alias["FunctionVersion"] for alias in found}


def states(result: Result) -> dict[str, str]:
    assert result.exit_code == 0, result.output
    return {door["alias"]: door["state"] for door in document_of(result)["doors"]}


def test_aliases_are_made_once_and_follow_each_deployment(functions: Any) -> None:
    doors = "orders,checkout=orders:live"
    assert states(run(doors, "doors", "list", "--json")) == {
        "checkout": "no alias yet",
        "orders": "no alias yet",
    }
    for _ in range(2):
        result = run(doors, "doors", "apply", "--json")
        assert states(result) == {"checkout": "open", "orders": "open"}
    assert aliases(functions) == {"checkout": "$LATEST", "orders": "$LATEST"}
    arns = [door["arn"] for door in document_of(result)["doors"]]
    assert all(arn.endswith((f"{INVOKER}:orders", f"{INVOKER}:checkout")) for arn in arns)


def test_rehearsal_changes_nothing(functions: Any) -> None:
    result = run("orders", "doors", "apply", "--dry-run", "--json")
    assert states(result) == {"orders": "no alias yet"}
    assert aliases(functions) == {}


def test_door_that_the_stack_has_no_more_is_closed(functions: Any) -> None:
    run("orders,checkout=orders", "doors", "apply")
    shown = run("orders", "doors", "list", "--json")
    assert states(shown) == {"checkout": "not in FrontDoors", "orders": "open"}
    run("orders", "doors", "apply")
    assert aliases(functions) == {"orders": "$LATEST"}
    run("", "doors", "apply")
    assert aliases(functions) == {}


def test_aliases_of_others_stay(functions: Any) -> None:
    version = functions.publish_version(FunctionName=INVOKER)["Version"]
    for name in ("live", "orders"):
        functions.create_alias(FunctionName=INVOKER, Name=name, FunctionVersion=version)
    assert states(run("orders", "doors", "apply", "--json")) == {"orders": "alias is of a version"}
    assert aliases(functions) == {"live": version, "orders": version}


def test_door_to_a_target_that_may_not_be_called_is_refused_before_anything_is_made(
    functions: Any,
) -> None:
    result = run("orders,mail", "doors", "apply", "--json")
    assert result.exit_code == 1
    assert document_of(result)["error"]["field"] == "FrontDoors"
    assert aliases(functions) == {}


def test_arns_stand_whole_to_be_copied(functions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    del functions
    monkeypatch.setenv("COLUMNS", "40")
    shown = run("orders", "doors", "apply").stdout.splitlines()
    assert f"arn:aws:lambda:eu-west-1:123456789012:function:{INVOKER}:orders" in shown
