"""`reprise sources` on moto's Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from functional.cli.test_commands import Cloud, cloud, document_of, run
from reprise.aws.keys import SecretKeyring, SecretKeys, secret_name
from reprise.errors import BadRecordError
from reprise.settings import CallerSettings
from unit.cli.test_stack import OUTPUTS

__all__ = ["cloud"]
ORDERS = OUTPUTS["TargetArns"]


@pytest.fixture
def secrets(cloud: Cloud) -> Any:
    del cloud
    return boto3.client("secretsmanager")


def test_a_source_is_made_signs_and_is_verified(secrets: Any) -> None:
    result = run("sources", "add", "web", "--targets", "orders", "--json")
    document = document_of(result)
    assert (result.exit_code, document["targets"]) == (0, [ORDERS])
    assert document["statements"][0]["Resource"] == document["arn"]
    keys = SecretKeys(secrets, document["environment"]["REPRISE_MAC_SECRET_ARN"]).keys()
    mac = keys.sign({"a": 1})
    assert mac.key_id == "web/k1"
    SecretKeyring(secrets, "reprise").find(mac.key_id).verify({"a": 1}, mac)


def test_people_see_what_to_do_next(secrets: Any) -> None:
    del secrets
    shown = run("sources", "add", "web", "--targets", ORDERS).stdout
    for words in ("REPRISE_MAC_SECRET_ARN", "secretsmanager:GetSecretValue", ORDERS):
        assert words in shown


def test_what_is_to_be_copied_stands_whole_on_its_line_at_80_columns(
    secrets: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del secrets
    monkeypatch.setenv("COLUMNS", "80")
    name = "a-source-of-a-name-that-is-rather-long"
    document = document_of(run("sources", "add", name, "--targets", ORDERS, "--json"))
    run("sources", "remove", name)
    lines = run("sources", "add", f"{name}-2", "--targets", ORDERS).stdout.splitlines()
    found = dict(line.split("=", 1) for line in lines if line.startswith("REPRISE_"))
    same = {"REPRISE_MAC_SECRET_ARN"}
    assert {k: v for k, v in found.items() if k not in same} == {
        k: v for k, v in document["environment"].items() if k not in same
    }
    # The library needs no more than these.
    CallerSettings.from_env(found)
    start = lines.index("[")
    assert json.loads("\n".join(lines[start : lines.index("]") + 1]))[0]["Effect"] == "Allow"


def test_sources_are_listed_with_what_they_may_sign_for_and_what_is_wrong(
    secrets: Any,
) -> None:
    run("sources", "add", "web", "--targets", "orders")
    secrets.create_secret(Name=secret_name("reprise", "broken"), SecretString="{}")
    secrets.create_secret(Name=secret_name("reprise-two", "other"), SecretString="{}")
    listed = document_of(run("sources", "list", "--json"))["sources"]
    found = {source["name"]: source for source in listed}
    assert [*found] == ["broken", "invoker", "operator", "web"]
    assert (found["web"]["targets"], found["invoker"]["targets"]) == ([ORDERS], ["*"])
    assert "must be JSON" in found["broken"]["problem"]
    assert "web" in run("sources", "list").stdout


def test_a_rotation_is_believed_at_once(secrets: Any) -> None:
    run("sources", "add", "web", "--targets", "orders")
    keyring = SecretKeyring(secrets, "reprise")
    old = SecretKeys(secrets, secret_name("reprise", "web")).keys()
    assert document_of(run("sources", "rotate", "web", "--json"))["current"] == "k2"
    new = SecretKeys(secrets, secret_name("reprise", "web")).keys()
    for keys in (old, new):
        mac = keys.sign({})
        keyring.find(mac.key_id).verify({}, mac)


def test_a_removed_source_is_believed_no_more(secrets: Any) -> None:
    run("sources", "add", "web", "--targets", "orders")
    assert run("sources", "remove", "web").exit_code == 0
    with pytest.raises(BadRecordError, match="no source 'web'"):
        SecretKeyring(secrets, "reprise").find("web/k1")


def test_the_stacks_own_sources_rotate_like_any(secrets: Any) -> None:
    assert run("sources", "rotate", "invoker").exit_code == 0
    text = secrets.get_secret_value(SecretId=secret_name("reprise", "invoker"))["SecretString"]
    assert sorted(json.loads(text)) == ["current", "k1", "k2", "targets"]


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        (["add", "a b", "--targets", "orders"], 2, "NAME"),
        (["add", "invoker", "--targets", "orders"], 2, "NAME"),
        (["add", "web", "--targets", ","], 2, "--targets"),
        (["add", "web", "--targets", "payments"], 1, "--targets"),
        (["add", "twice", "--targets", "orders"], 1, "NAME"),
        (["remove", "operator"], 2, "NAME"),
        (["remove", "nobody"], 1, "NAME"),
        (["rotate", "nobody"], 1, "NAME"),
        (["rotate", "broken"], 1, "NAME"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_is_one_line_that_names_the_field(
    secrets: Any,
    arguments: list[str],
    code: int,
    field: str,
) -> None:
    secrets.create_secret(Name=secret_name("reprise", "broken"), SecretString="{}")
    secrets.create_secret(Name=secret_name("reprise", "twice"), SecretString="{}")
    result = run("sources", *arguments)
    assert result.exit_code == code
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: {field}: ")


def test_a_name_that_was_removed_lately_says_how_to_restore_it(secrets: Any) -> None:
    del secrets
    run("sources", "add", "web", "--targets", "orders")
    run("sources", "remove", "web")
    result = run("sources", "add", "web", "--targets", "orders")
    assert result.exit_code == 1
    assert "NAME" in result.stderr
