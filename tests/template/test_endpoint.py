"""The add-on endpoint beside the root: the layers' binaries, and what the roles of callers may do."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

from template.conftest import TARGET
from template.deployment import Deployment
from template.templates import ADDONS, read

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = {"EndpointX86Layer": ("x86_64", 62), "EndpointArmLayer": ("arm64", 183)}
"""By logical id, the architecture, and how ELF numbers it (System V ABI, e_machine)."""
MAX_BINARY_BYTES = 10_000_000
KEY = "arn:aws:kms:eu-west-1:111122223333:key/abc"


@pytest.fixture(scope="module")
def endpoint() -> Deployment:
    return Deployment({"Targets": TARGET}, addons={"endpoint": {"KmsKeyArn": KEY}})


def statements(deployment: Deployment, policy: str) -> list[dict[str, Any]]:
    document = deployment[f"Endpoint/{policy}"].properties["PolicyDocument"]
    found: list[dict[str, Any]] = document["Statement"]
    return found


def binary(layer: str) -> Path:
    return ADDONS["endpoint"].parent / layer / "extensions" / "reprise"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_one_static_binary_of_its_architecture_that_may_be_run(layer: str) -> None:
    path = binary(layer)
    folder = ADDONS["endpoint"].parent / layer
    assert [each for each in folder.rglob("*") if each.is_file()] == [path]
    assert path.stat().st_mode & 0o111
    data = path.read_bytes()
    assert len(data) <= MAX_BINARY_BYTES
    assert data[:4] == b"\x7fELF"
    (machine,) = struct.unpack_from("<H", data, 18)
    assert machine == LAYERS[layer][1]
    # No interpreter: it needs no library of whatever image it runs in (System V ABI, PT_INTERP).
    offset, size, count = (
        *struct.unpack_from("<Q", data, 32),
        *struct.unpack_from("<HH", data, 54),
    )
    kinds = {struct.unpack_from("<I", data, offset + size * i)[0] for i in range(count)}
    assert 3 not in kinds
    declared = read(ADDONS["endpoint"])["Resources"][layer]["Properties"]
    assert declared["CompatibleArchitectures"] == [LAYERS[layer][0]]


def test_a_caller_reads_the_key_that_its_role_is_tagged_with_and_no_other(
    endpoint: Deployment,
) -> None:
    (keys,) = [
        each
        for each in statements(endpoint, "CallerPolicy")
        if each["Action"] == "secretsmanager:GetSecretValue"
    ]
    assert keys["Resource"] == (
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"
        "reprise/source/${aws:PrincipalTag/reprise-source}-??????"
    )


def test_callers_may_do_what_the_endpoint_asks_and_nothing_more(endpoint: Deployment) -> None:
    allowed = {
        action
        for policy in ("CallerPolicy", "KeyedCallerPolicy")
        for each in statements(endpoint, policy)
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert allowed == {
        "ssm:GetParameter",
        "secretsmanager:GetSecretValue",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:PutObject",
        "s3:GetObject",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
        "kms:Decrypt",
        "kms:GenerateDataKey",
    }
    listed = [
        each["Resource"]
        for policy in ("CallerPolicy", "KeyedCallerPolicy")
        for each in statements(endpoint, policy)
    ]
    assert "*" not in listed


def test_the_policy_names_what_the_root_deploys(endpoint: Deployment) -> None:
    text = json.dumps(statements(endpoint, "CallerPolicy"))
    for part in (
        endpoint.outputs["BucketName"],
        endpoint.outputs["CaptureLogGroup"],
        endpoint.outputs["PolicyParameter"],
    ):
        assert part in text
    assert endpoint.outputs["LedgerTable"] in json.dumps(statements(endpoint, "KeyedCallerPolicy"))
