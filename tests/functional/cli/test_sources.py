"""`reprise sources` on moto's Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from functional.cli.test_commands import Cloud, cloud, document_of, run
from reprise.aws.clients import Clients
from reprise.aws.keys import SecretKeyring, SecretKeys, secret_name
from reprise.errors import BadRecordError, SettingsError
from reprise.settings import CallerSettings
from reprise.wiring.callers import read_caller_settings
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
    same = {"REPRISE_MAC_SECRET_ARN", "REPRISE_SOURCE"}
    assert {k: v for k, v in found.items() if k not in same} == {
        k: v for k, v in document["environment"].items() if k not in same
    }
    assert found.pop("REPRISE_SOURCE") == f"{name}-2"
    # The library needs no more than these.
    CallerSettings.from_env(found)
    start = lines.index("[")
    assert json.loads("\n".join(lines[start : lines.index("]") + 1]))[0]["Effect"] == "Allow"


def test_two_variables_come_first_and_are_enough(secrets: Any) -> None:
    del secrets
    shown = run("sources", "add", "web", "--targets", "orders").stdout.splitlines()
    start = shown.index("its environment:")
    assert shown[start + 1 : start + 3] == ["REPRISE_STACK=reprise", "REPRISE_SOURCE=web"]
    said = {
        "bucket": "b",
        "ledger_table": "t",
        "targets": [ORDERS],
        "call_timeout_s": 35,
        "policy_parameter": "/p",
    }
    boto3.client("ssm").put_parameter(
        Name="/reprise/callers", Value=json.dumps(said), Type="String"
    )
    env = dict(line.split("=", 1) for line in shown[start + 1 : start + 3])
    settings = read_caller_settings(env, Clients())
    assert (settings.targets, settings.call_timeout_s) == ((ORDERS,), 35)
    assert (
        SecretKeys(boto3.client("secretsmanager"), settings.mac_secret_arn).keys().source == "web"
    )


def test_a_caller_whose_stack_says_nothing_is_told_which_variable_is_missing_and_why(
    secrets: Any,
) -> None:
    del secrets
    with pytest.raises(
        SettingsError, match=r"ParameterNotFound.*/shop/callers.*Set REPRISE_STACK .*REPRISE_BUCKET"
    ):
        read_caller_settings({"REPRISE_STACK": "shop", "REPRISE_SOURCE": "web"}, Clients())


def _role(name: str) -> Any:
    iam = boto3.client("iam")
    iam.create_role(RoleName=name, Path="/service/", AssumeRolePolicyDocument="{}")
    return iam


@pytest.mark.parametrize("named", ["web-role", "arn:aws:iam::123456789012:role/service/web-role"])
def test_a_role_is_given_the_statements_and_loses_them_with_the_source(
    secrets: Any, named: str
) -> None:
    del secrets
    iam = _role("web-role")
    document = document_of(
        run("sources", "add", "web", "--targets", "orders", "--role", named, "--json")
    )
    assert document["role"] == "web-role"
    found = iam.get_role_policy(RoleName="web-role", PolicyName="reprise-source-web")
    assert found["PolicyDocument"]["Statement"] == document["statements"]

    removed = document_of(run("sources", "remove", "web", "--json"))
    assert removed["role"] == "web-role"
    assert iam.list_role_policies(RoleName="web-role")["PolicyNames"] == []


def test_a_role_that_is_gone_does_not_keep_its_source(secrets: Any) -> None:
    iam = _role("web-role")
    run("sources", "add", "web", "--targets", "orders", "--role", "web-role")
    iam.delete_role_policy(RoleName="web-role", PolicyName="reprise-source-web")
    iam.delete_role(RoleName="web-role")
    assert run("sources", "remove", "web").exit_code == 0
    with pytest.raises(BadRecordError, match="no source 'web'"):
        SecretKeyring(secrets, "reprise").find("web/k1")


def test_a_role_that_is_not_there_makes_no_source(secrets: Any) -> None:
    result = run("sources", "add", "web", "--targets", "orders", "--role", "nobodys")
    assert result.exit_code == 1
    assert "error: --role: there is no role 'nobodys'" in result.stderr
    names = [each["Name"] for each in secrets.list_secrets()["SecretList"]]
    assert secret_name("reprise", "web") not in names


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
