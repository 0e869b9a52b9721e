"""The keys of all sources: learnt by name, and what forged names and broken documents cost."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from reprise.aws.keys import MAX_UNKNOWN, RELOAD_S, TTL_S, SecretKeyring
from reprise.capturing.signature import STACK_SOURCES, MacKeys
from reprise.errors import BadRecordError, SettingsError, SourceDeniedError, StoreError
from strategies import KEY

if TYPE_CHECKING:
    from reprise.aws.clients import Clients

NEW_KEY = "another key, after the rotation of it"


def document(keys: dict[str, str] | None = None, current: str = "k1") -> str:
    return json.dumps({"current": current, "targets": ["*"]} | (keys or {"k1": KEY}))


@dataclass
class Secrets:
    """Secrets Manager with some secrets, and some errors; counts its requests."""

    kept: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    now_s: float = 1000.0

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:
        self.asked.append(SecretId)
        code = self.errors.get(SecretId)
        if code is None and SecretId not in self.kept:
            code = "ResourceNotFoundException"
        if code is not None:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetSecretValue")
        return {"Name": SecretId, "SecretString": self.kept[SecretId]}

    def keyring(self) -> SecretKeyring:
        client: Any = self
        return SecretKeyring(client, "shop", monotonic=lambda: self.now_s)


@pytest.fixture
def secrets() -> Secrets:
    return Secrets({f"shop/source/{name}": document() for name in ("pipeline", "invoker", "web")})


def refusal(keyring: SecretKeyring, key_id: str) -> str:
    with pytest.raises(BadRecordError) as caught:
        keyring.find(key_id)
    assert caught.value.reason == "bad_mac"
    return caught.value.message


def test_a_source_is_learnt_from_its_own_secret_once_a_minute(secrets: Secrets) -> None:
    keyring = secrets.keyring()
    for _ in range(3):
        assert keyring.find("web/k1").source == "web"
    assert keyring.keys().source == "pipeline"
    assert secrets.asked == ["shop/source/web", "shop/source/pipeline"]
    secrets.now_s += TTL_S
    keyring.find("web/k1")
    assert len(secrets.asked) == 3


def test_a_key_id_without_source_is_looked_for_in_the_one_secret_of_0_1_0(secrets: Secrets) -> None:
    assert "no secret 'shop/mac'" in refusal(secrets.keyring(), "k1")
    secrets.kept["shop/mac"] = json.dumps({"current": "k1", "k1": KEY})
    keys = secrets.keyring().find("k1")
    assert (keys.source, keys.targets) == ("", ("arn:*",))


@pytest.mark.parametrize(
    "key_id",
    [
        "/k1",
        "a/b/k1",
        "../mac/k1",
        "we b/k1",
        "we\nb/k1",
        "*/k1",
        "ü/k1",
        f"{'x' * 65}/k1",
        "\ud800/k1",
    ],
)
def test_a_name_that_no_source_can_have_asks_for_nothing(secrets: Secrets, key_id: str) -> None:
    if key_id == "/k1":
        # No source is named: that is the secret of 0.1.0, which this stack has not.
        secrets.asked.clear()
        refusal(secrets.keyring(), key_id)
        assert secrets.asked == ["shop/mac"]
        return
    assert "is no source's name" in refusal(secrets.keyring(), key_id)
    assert secrets.asked == []


def test_forged_names_cost_a_bounded_number_of_requests_a_minute(secrets: Secrets) -> None:
    keyring = secrets.keyring()
    keyring.find("web/k1")
    for number in range(5000):
        refusal(keyring, f"forged-{number}/k1")
    assert len(secrets.asked) == 1 + MAX_UNKNOWN
    assert "too many" in refusal(keyring, "forged-4999/k1")
    # What is known, and what comes with the stack, is found all the same.
    assert keyring.find("web/k1").source == "web"
    assert keyring.find("invoker/k1").source == "invoker"
    secrets.now_s += TTL_S
    for number in range(5000):
        refusal(keyring, f"other-{number}/k1")
    assert len(secrets.asked) <= 2 + 2 * MAX_UNKNOWN
    assert len(keyring._seen) <= len(STACK_SOURCES) + 1 + MAX_UNKNOWN  # noqa: SLF001 - its memory is the point


def test_a_source_that_was_not_there_is_found_within_a_minute(secrets: Secrets) -> None:
    keyring = secrets.keyring()
    assert "there is no source 'new'" in refusal(keyring, "new/k1")
    secrets.kept["shop/source/new"] = document()
    secrets.now_s += TTL_S
    assert keyring.find("new/k1").source == "new"


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "InvalidRequestException"])
def test_a_removed_source_signs_nothing_within_a_minute(secrets: Secrets, code: str) -> None:
    keyring = secrets.keyring()
    keyring.find("web/k1")
    secrets.errors["shop/source/web"] = code
    secrets.now_s += TTL_S
    assert "there is no source 'web'" in refusal(keyring, "web/k1")


def test_a_new_key_is_found_soon_after_a_rotation(secrets: Secrets) -> None:
    keyring = secrets.keyring()
    keyring.find("web/k1")
    secrets.kept["shop/source/web"] = document({"k1": KEY, "k2": NEW_KEY}, "k2")
    secrets.now_s += RELOAD_S
    assert keyring.find("web/k2").sign({}).key_id == "web/k2"


def test_forged_key_names_of_a_real_source_cost_a_request_every_few_seconds(
    secrets: Secrets,
) -> None:
    keyring = secrets.keyring()
    for _ in range(100):
        assert not keyring.find("web/forged").holds("web/forged")
    assert len(secrets.asked) == 1
    secrets.now_s += RELOAD_S
    keyring.find("web/forged")
    keyring.find("web/forged")
    assert len(secrets.asked) == 2


@pytest.mark.parametrize(
    "text", ["", "{}", document({"k1": "short"}), document({"k1": KEY, "k0": ""})]
)
def test_a_broken_document_is_refused_and_stops_no_other_source(
    secrets: Secrets, text: str
) -> None:
    keyring = secrets.keyring()
    keyring.find("web/k1")
    secrets.kept["shop/source/web"] = text
    secrets.now_s += TTL_S
    assert "key document of source 'web'" in refusal(keyring, "web/k1")
    assert keyring.find("invoker/k1").source == "invoker"


@pytest.mark.parametrize("code", ["AccessDeniedException", "DecryptionFailure"])
def test_a_secret_that_may_not_be_read_stops_no_other_source(secrets: Secrets, code: str) -> None:
    secrets.errors["shop/source/web"] = code
    keyring = secrets.keyring()
    with pytest.raises(SourceDeniedError, match="its KMS key"):
        keyring.find("web/k1")
    assert keyring.find("invoker/k1").source == "invoker"


@pytest.mark.parametrize("code", ["InternalServiceError", "AccessDeniedException"])
def test_while_secrets_manager_is_away_the_last_good_keys_stay(secrets: Secrets, code: str) -> None:
    keyring = secrets.keyring()
    keys = keyring.find("web/k1")
    secrets.errors["shop/source/web"] = code
    secrets.now_s += TTL_S
    assert keyring.find("web/k1") is keys


def test_without_any_keys_an_outage_is_nobodys_fault(secrets: Secrets) -> None:
    secrets.errors["shop/source/web"] = "InternalServiceError"
    with pytest.raises(StoreError, match="InternalServiceError"):
        secrets.keyring().find("web/k1")


def test_who_cannot_sign_says_whether_to_wait_or_to_mend(secrets: Secrets) -> None:
    secrets.errors["shop/source/pipeline"] = "AccessDeniedException"
    with pytest.raises(StoreError, match="may not be read"):
        secrets.keyring().keys()
    del secrets.errors["shop/source/pipeline"]
    secrets.kept["shop/source/pipeline"] = document({"k1": ""})
    with pytest.raises(SettingsError, match="0 characters"):
        secrets.keyring().keys()


def test_the_keyring_reads_secrets_manager(clients: Clients) -> None:
    service = clients.secrets()
    service.create_secret(Name="ring/source/web", SecretString=document())
    keyring = SecretKeyring(service, "ring")
    assert isinstance(keyring.find("web/k1"), MacKeys)
    assert "there is no source" in refusal(keyring, "nobody/k1")
    service.delete_secret(SecretId="ring/source/web")
    gone = SecretKeyring(service, "ring")
    assert "there is no source" in refusal(gone, "web/k1")
