"""What the skill for agents has them write into a caller's SAM template does what it says."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any, Final

import yaml

from template.templates import REPOSITORY

SKILL: Final = REPOSITORY / "skills" / "reprise" / "SKILL.md"
CALLER: Final = {
    "Type": "AWS::Serverless::Function",
    "Properties": {
        "CodeUri": "s3://code/shop",
        "Handler": "index.handler",
        "Runtime": "nodejs22.x",
    },
}


def as_adopted() -> dict[str, Any]:
    """Return a caller's template with the skill's block in it."""
    block = re.search(
        r"^```yaml\n(Parameters:.*?)^```", SKILL.read_text(), re.DOTALL | re.MULTILINE
    )
    assert block is not None
    parameters, properties = block[1].replace("!Ref ", "Ref=").split("# in the function's")
    _, _, added = properties.partition("\n")
    merged = {**CALLER["Properties"], **yaml.safe_load(textwrap.dedent(added))}  # type: ignore[dict-item]
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        **yaml.safe_load(parameters),
        "Resources": {"Caller": {**CALLER, "Properties": with_refs(merged)}},
    }


def with_refs(value: Any) -> Any:
    """Return a value in which `Ref=Name` is CloudFormation's reference."""
    match value:
        case str() if value.startswith("Ref="):
            return {"Ref": value.removeprefix("Ref=")}
        case dict():
            return {key: with_refs(each) for key, each in value.items()}
        case list():
            return [with_refs(each) for each in value]
        case _:
            return value


def test_sam_makes_of_it_a_caller_whose_role_may_read_its_sources_key() -> None:
    done = subprocess.run(
        [REPOSITORY / ".tools/sam/bin/python", Path(__file__).with_name("expand.py")],
        input=json.dumps({"caller": as_adopted()}),
        env={"AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        check=True,
        text=True,
    )
    resources = json.loads(done.stdout)["caller"]["Resources"]
    function, role = resources["Caller"]["Properties"], resources["CallerRole"]["Properties"]
    assert function["Layers"] == [{"Ref": "RepriseEndpointLayer"}]
    variables = function["Environment"]["Variables"]
    assert variables["AWS_ENDPOINT_URL_LAMBDA"] == "http://127.0.0.1:9350"
    assert {"Ref": "RepriseCallerPolicy"} in role["ManagedPolicyArns"]
    tags = {tag["Key"]: tag["Value"] for tag in role["Tags"]}
    assert tags["reprise-source"] == variables["REPRISE_SOURCE"]


def test_the_outputs_that_it_names_are_those_of_the_add_on() -> None:
    named = set(re.findall(r"\b([A-Z]\w+(?:LayerArn|PolicyArn))\b", SKILL.read_text()))
    outputs = (
        (REPOSITORY / "addons/endpoint/template.yaml").read_text().partition("\nOutputs:\n")[2]
    )
    assert {"EndpointX86LayerArn", "EndpointArmLayerArn", "CallerPolicyArn"} <= named
    assert {name for name in named if f"  {name}:" not in outputs} == set()
