from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import OutcomeKind
from reprise.errors import SettingsError
from reprise.settings import (
    STDOUT,
    CallerSettings,
    ReplayerSettings,
    UnpackerSettings,
    callers_parameter,
    missing_of,
    with_secret,
    with_what_the_stack_says,
)
from strategies import ORDERS

if TYPE_CHECKING:
    from collections.abc import Mapping

CALLER = {
    "REPRISE_STACK": "shop",
    "REPRISE_BUCKET": "bucket",
    "REPRISE_TARGETS": f" {ORDERS} ,, other ",
    "REPRISE_MAC_SECRET_ARN": "arn:secret",
    "REPRISE_CALL_TIMEOUT_S": "310",
    "REPRISE_LEDGER_TABLE": "ledger",
}
UNPACKER = {
    "REPRISE_STACK": "shop",
    "REPRISE_BUCKET": "bucket",
    "REPRISE_TARGETS": ORDERS,
    "REPRISE_LEDGER_TABLE": "ledger",
    "REPRISE_REPLAY_QUEUE_URL": "https://replay",
    "REPRISE_CAPTURE_QUEUE_URL": "https://capture",
    "REPRISE_CAPTURE_DLQ_URL": "https://capture-dlq",
    "REPRISE_DEAD_LETTER_QUEUE_URL": "https://dead",
    "REPRISE_LOG_GROUPS": "/a,/b",
    "REPRISE_ACCOUNT_ID": "123456789012",
    "REPRISE_RETENTION_DAYS": "30",
}
REPLAYER = {
    "REPRISE_BUCKET": "bucket",
    "REPRISE_TARGETS": ORDERS,
    "REPRISE_POLICY_PARAMETER": "/reprise/policy",
    "REPRISE_LEDGER_TABLE": "ledger",
    "REPRISE_REPLAY_QUEUE_URL": "https://replay",
    "REPRISE_DEAD_LETTER_QUEUE_URL": "https://dead",
    "REPRISE_CALL_TIMEOUT_S": "310",
    "REPRISE_RETENTION_DAYS": "30",
}


def _read(kind: type, env: Mapping[str, str]) -> object:
    return kind.from_env(env)  # type: ignore[attr-defined]


def test_callers_settings_have_defaults_for_what_may_be_left_out() -> None:
    assert CallerSettings.from_env(CALLER) == CallerSettings(
        targets=(ORDERS, "other"),
        bucket="bucket",
        mac_secret_arn="arn:secret",
        call_timeout_s=310,
        capture_outcomes=frozenset(
            {
                OutcomeKind.THROTTLED,
                OutcomeKind.TRANSIENT,
                OutcomeKind.UNKNOWN,
                OutcomeKind.FUNCTION_ERROR,
            }
        ),
        status_url="reprise://shop/calls/{id}",
        ledger_table="ledger",
        capture_log_group="/reprise/shop/capture",
        stack="shop",
    )


def test_callers_settings_take_what_is_given() -> None:
    env = {"REPRISE_STATUS_URL": "https://x/{id}", "REPRISE_CAPTURE_OUTCOMES": "throttled, unknown"}
    settings = CallerSettings.from_env(CALLER | env | {"REPRISE_CAPTURE_LOG_GROUP": STDOUT})
    assert settings.capture_log_group == "stdout"
    assert settings.status_url == "https://x/{id}"
    assert settings.capture_outcomes == {OutcomeKind.THROTTLED, OutcomeKind.UNKNOWN}


def test_no_outcome_at_all_turns_capturing_off() -> None:
    env = CALLER | {"REPRISE_CAPTURE_OUTCOMES": ""}
    assert CallerSettings.from_env(env).capture_outcomes == frozenset()


@pytest.mark.parametrize("name", ["succeeded", "throtled"])
def test_an_outcome_that_cannot_be_captured_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        CallerSettings.from_env(CALLER | {"REPRISE_CAPTURE_OUTCOMES": name})


def test_the_unpacker_reads_its_settings() -> None:
    settings = UnpackerSettings.from_env(UNPACKER)
    assert settings.log_groups == {"/a", "/b"}
    assert settings.retention_days == 30
    assert settings.capture_dlq_url == "https://capture-dlq"
    assert settings.dead_letter_queue_url == "https://dead"
    assert (settings.stack, settings.event_bus) == ("shop", "default")


def test_the_replayer_reads_its_settings() -> None:
    settings = ReplayerSettings.from_env(REPLAYER)
    assert settings.call_timeout_s == 310
    assert settings.dead_letter_queue_url == "https://dead"


@pytest.mark.parametrize(
    ("kind", "env", "name"),
    [
        (kind, env, name)
        for kind, env in (
            (CallerSettings, CALLER),
            (UnpackerSettings, UNPACKER),
            (ReplayerSettings, REPLAYER),
        )
        for name in env
        if name != "REPRISE_STACK"
    ],
)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_variable_is_named(
    kind: type, env: dict[str, str], name: str, value: str | None
) -> None:
    without = {key: text for key, text in env.items() if key != name}
    with pytest.raises(SettingsError, match=name):
        _read(kind, without if value is None else without | {name: value})


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "ten", "٣", "1_000", "+5", "9" * 5000])
def test_a_number_that_is_no_whole_number_above_zero_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="REPRISE_CALL_TIMEOUT_S"):
        CallerSettings.from_env(CALLER | {"REPRISE_CALL_TIMEOUT_S": value})


def test_a_list_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="REPRISE_TARGETS lists nothing"):
        CallerSettings.from_env(CALLER | {"REPRISE_TARGETS": " , ,"})


@given(env=st.dictionaries(st.sampled_from([*CALLER, *UNPACKER, *REPLAYER]), st.text()))
def test_any_environment_gives_settings_or_a_settings_error(env: dict[str, str]) -> None:
    for kind in (CallerSettings, UnpackerSettings, ReplayerSettings):
        with suppress(SettingsError):
            assert isinstance(_read(kind, env), kind)


SAID = {
    "bucket": "their-bucket",
    "capture_log_group": "/their/capture",
    "ledger_table": "their-ledger",
    "targets": [ORDERS, "other"],
    "policy_parameter": "/their/policy",
    "call_timeout_s": 35,
}


def test_a_caller_asks_the_stack_that_is_meant() -> None:
    assert callers_parameter({}) == "/reprise/callers"
    assert callers_parameter({"REPRISE_STACK": "shop"}) == "/shop/callers"


def test_two_variables_and_what_the_stack_says_are_settings() -> None:
    env = {"REPRISE_STACK": "shop", "REPRISE_SOURCE": "web"}
    settings = CallerSettings.from_env(with_secret(with_what_the_stack_says(env, json.dumps(SAID))))
    assert settings == CallerSettings(
        targets=(ORDERS, "other"),
        bucket="their-bucket",
        mac_secret_arn="shop/source/web",
        stack="shop",
        call_timeout_s=35,
        capture_outcomes=settings.capture_outcomes,
        status_url="reprise://shop/calls/{id}",
        ledger_table="their-ledger",
        capture_log_group="/their/capture",
        policy_parameter="/their/policy",
    )


def test_a_lambda_function_signs_as_the_source_of_its_own_name() -> None:
    env = {"AWS_LAMBDA_FUNCTION_NAME": "basket"}
    assert with_secret(env)["REPRISE_MAC_SECRET_ARN"] == "reprise/source/basket"
    assert with_secret(env | {"REPRISE_SOURCE": "web"})["REPRISE_MAC_SECRET_ARN"].endswith("/web")


def test_who_signs_must_be_said_where_no_function_runs() -> None:
    with pytest.raises(SettingsError, match=r"REPRISE_SOURCE.*`reprise sources add NAME`"):
        with_secret({"REPRISE_STACK": "shop"})


def test_a_caller_that_is_told_everything_asks_nobody() -> None:
    assert missing_of(CALLER) == ""
    without = {name: text for name, text in CALLER.items() if name != "REPRISE_BUCKET"}
    assert missing_of(without) == "environment variable REPRISE_BUCKET"


@given(given=st.sets(st.sampled_from(sorted(CALLER))))
def test_a_variable_that_is_set_wins_over_what_the_stack_says(given: set[str]) -> None:
    env = {name: CALLER[name] for name in given}
    found = with_secret(with_what_the_stack_says(env, json.dumps(SAID)) | {"REPRISE_SOURCE": "web"})
    assert {name: found[name] for name in given} == env
    assert missing_of(found) == ""
    CallerSettings.from_env(found)


def test_what_a_later_stack_says_beside_it_is_left_alone() -> None:
    found = with_what_the_stack_says({}, json.dumps(SAID | {"region": {"a": None}}))
    assert found == with_what_the_stack_says({}, json.dumps(SAID))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"bucket": {}}', "/reprise/callers: bucket must be"),
        ('{"targets": [1]}', "/reprise/callers: targets must be"),
        ('{"call_timeout_s": true}', "/reprise/callers: call_timeout_s must be"),
        ('{"ledger_table": null}', "/reprise/callers: ledger_table must be"),
    ],
)
def test_what_a_stack_cannot_have_said_names_parameter_and_field(document: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        with_what_the_stack_says({}, document)
