from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import NoRegionError

from doubles import FakeKeys, FakePolicies
from reprise.aws.clients import lazily
from reprise.aws.config import CallersPolicies, ParameterPolicies
from reprise.aws.keys import SecretKeyring, SecretKeys
from reprise.errors import PolicyError, SettingsError, StoreError
from reprise.retry.policy import read_policy_document
from strategies import KEY, KEYS

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

    from reprise.aws.clients import Clients

SECRET = json.dumps({"current": "k1", "k1": KEY, "targets": ["*"]})


@pytest.fixture(scope="module")
def secrets(clients: Clients) -> SecretsManagerClient:
    return clients.secrets()


@pytest.fixture(scope="module")
def ssm(clients: Clients) -> SSMClient:
    return clients.parameters()


def test_keys_come_from_the_secret_which_names_their_source(secrets: SecretsManagerClient) -> None:
    arn = secrets.create_secret(Name="shop/source/invoker", SecretString=SECRET)["ARN"]
    source = SecretKeys(secrets, arn)
    keys = source.keys()
    assert (keys.source, keys.targets) == ("invoker", ("*",))
    assert keys.sign({"a": 1}) == KEYS.sign({"a": 1})
    assert source.keys() is keys


def test_a_client_is_made_at_first_use_only(secrets: SecretsManagerClient) -> None:
    made = 0

    def client() -> SecretsManagerClient:
        nonlocal made
        made += 1
        return secrets

    SecretKeys(lazily(client), "x")
    SecretKeyring(lazily(client), "shop")
    assert made == 0


def test_a_secret_that_cannot_be_had_is_named_with_the_next_step(
    secrets: SecretsManagerClient,
) -> None:
    with pytest.raises(
        StoreError, match=r"\. That is secret shop/source/web-shp: set REPRISE_SOURCE "
    ):
        SecretKeys(secrets, "shop/source/web-shp").keys()


def test_a_secret_that_is_not_there_is_a_store_error(secrets: SecretsManagerClient) -> None:
    with pytest.raises(StoreError) as caught:
        SecretKeys(secrets, "nowhere").keys()
    assert caught.value.code == "ResourceNotFoundException"


@pytest.mark.parametrize("text", ["{}", "not json"])
def test_a_malformed_secret_is_the_deployers_error(
    secrets: SecretsManagerClient, text: str
) -> None:
    name = f"shop/source/bad{len(text)}"
    arn = secrets.create_secret(Name=name, SecretString=text)["ARN"]
    keys = SecretKeys(secrets, arn)
    for _ in range(2):
        with pytest.raises(SettingsError, match=f"source 'bad{len(text)}'"):
            keys.keys()


def test_a_binary_secret_is_the_deployers_error(secrets: SecretsManagerClient) -> None:
    arn = secrets.create_secret(Name="shop/source/binary", SecretBinary=b"x")["ARN"]
    with pytest.raises(SettingsError):
        SecretKeys(secrets, arn).keys()


def test_the_one_secret_of_0_1_0_signs_nothing_any_more(secrets: SecretsManagerClient) -> None:
    secrets.create_secret(Name="old/mac", SecretString=SECRET)
    with pytest.raises(SettingsError, match="`reprise sources add`"):
        SecretKeys(secrets, "old/mac").keys()


def test_a_client_that_cannot_be_made_is_a_store_error() -> None:
    def client() -> SecretsManagerClient:
        raise NoRegionError

    with pytest.raises(StoreError, match="NoRegionError"):
        SecretKeys(lazily(client), "x").keys()


def test_policies_come_from_the_parameter_and_are_remembered(ssm: SSMClient) -> None:
    ssm.put_parameter(Name="/p", Value='{"default":{"maximum_attempts":7}}', Type="String")
    source = ParameterPolicies(ssm, "/p")
    assert source.policies().for_target("orders").maximum_attempts == 7
    ssm.put_parameter(Name="/p", Value="{}", Type="String", Overwrite=True)
    assert source.policies().for_target("orders").maximum_attempts == 7


def test_a_parameter_that_is_not_there_is_a_store_error(ssm: SSMClient) -> None:
    with pytest.raises(StoreError, match="ParameterNotFound"):
        ParameterPolicies(ssm, "/nowhere").policies()


def test_a_first_document_that_is_invalid_is_a_policy_error(ssm: SSMClient) -> None:
    ssm.put_parameter(Name="/bad", Value="[]", Type="String")
    with pytest.raises(PolicyError):
        ParameterPolicies(ssm, "/bad").policies()


def test_callers_do_without_policies_that_cannot_be_had_and_ask_once_a_minute(
    ssm: SSMClient, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = 0.0
    source = CallersPolicies(ssm, "/later", monotonic=lambda: now_s)
    for _ in range(3):
        assert source.policies().for_target("orders").capture_on is None
    (warning,) = caplog.records
    assert "the default" in warning.message
    ssm.put_parameter(Name="/later", Value='{"default":{"capture_on":[]}}', Type="String")
    assert source.policies().for_target("orders").capture_on is None
    now_s = 61.0
    assert source.policies().for_target("orders").capture_on == frozenset()
    # An edit that is no document leaves what was read.
    ssm.put_parameter(Name="/later", Value="[]", Type="String", Overwrite=True)
    now_s = 122.0
    assert source.policies().for_target("orders").capture_on == frozenset()


def test_the_doubles_give_what_they_hold_or_fail_when_told_to() -> None:
    keys, policies = FakeKeys(KEYS), FakePolicies(read_policy_document("{}"))
    assert keys.keys() is keys.current
    assert policies.policies() is policies.book
    keys.faults.fail("keys")
    policies.faults.fail("policies")
    with pytest.raises(StoreError):
        keys.keys()
    with pytest.raises(StoreError):
        policies.policies()
