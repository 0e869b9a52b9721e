from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.call.outcome import OutcomeKind
from reprise.errors import SettingsError
from reprise.settings import STDOUT, CallerSettings, ReplayerSettings, UnpackerSettings
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
