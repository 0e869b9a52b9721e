"""The report: what is in it, what is masked, and what its digest and its signature show."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from reprise.capturing.signature import OPERATOR, MacKeys
from reprise_cli.doctor.check import diagnose
from reprise_cli.doctor.checks import CHECKS
from reprise_cli.doctor.report import (
    NoKeysError,
    Signature,
    check_report,
    document_of,
    masked,
    read_report,
    sealed,
)
from reprise_cli.doctor.things import StackFacts
from unit.cli.doctor.healthy import ACCOUNT, facts

AT: Final = datetime(2026, 3, 29, 1, 2, 3, tzinfo=UTC)
KEYS: Final = MacKeys(OPERATOR, "k1", {"k1": "o" * 64})
SLACK: Final = "https://hooks.slack.com/services/T0/B0/secret"


def report(**changes: Any) -> dict[str, Any]:
    found = facts(**changes)
    return masked(document_of(found, diagnose(CHECKS, found), AT))


def reread(document: dict[str, Any]) -> dict[str, Any]:
    again = read_report(json.dumps(document, indent=1))
    assert again is not None
    return again


def test_a_report_names_versions_and_every_finding() -> None:
    document = report(targets={f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:orders": None})
    assert document["summary"] == {"problem": 1, "cannot tell": 0, "ok": len(CHECKS) - 1}
    assert (document["version"], document["stack_version"]) == ("1.2.3", "1.2.3")
    assert document["findings"][0]["check"] == "target-there"
    assert document["at"].startswith("2026-03-29T01:02:03")


def test_accounts_mail_and_web_addresses_are_masked_and_names_stay() -> None:
    why = (f"Topic: ops@example.com refused {SLACK} for 999988887777 and {ACCOUNT}",)
    state = StackFacts(status="ROLLBACK_COMPLETE", why=why)
    text = json.dumps(
        report(
            stacks={"reprise": state},
            parameters={"IncidentEmail": "ops@example.com", "Tracing": "true"},
        )
    )
    for secret in (ACCOUNT, "999988887777", "ops@example.com", "T0/B0/secret"):
        assert secret not in text
    for kept in ("MAIL refused https://hooks.slack.com/...", "ACCOUNT-1", "ACCOUNT-2", "reprise"):
        assert kept in text
    assert report(parameters={"IncidentEmail": "a@b.c", "Tracing": "true"})["parameters"] == {
        "Tracing": "true"
    }


def test_a_signed_report_is_known_by_its_operators() -> None:
    found = check_report(reread(sealed(report(), KEYS)), lambda _: KEYS)
    assert (found.is_good, found.signature) == (True, Signature.VALID)
    assert "operator/k1" in found.why


@pytest.mark.parametrize(
    "change",
    [{"stack": "other"}, {"findings": []}, {"at": "2026-01-01T00:00:00Z"}, {"more": 1}],
    ids=str,
)
def test_an_altered_report_is_not_whole(change: dict[str, Any]) -> None:
    found = check_report(sealed(report(), KEYS) | change, lambda _: KEYS)
    assert (found.is_whole, found.is_good) == (False, False)


def test_whoever_seals_an_altered_report_anew_is_found_by_its_signature() -> None:
    signed = sealed(report(), KEYS)
    forged = sealed(report() | {"findings": []}, None) | {"mac": signed["mac"]}
    forged.pop("unsigned")
    found = check_report(forged, lambda _: KEYS)
    assert (found.is_whole, found.signature, found.is_good) == (True, Signature.INVALID, False)


def test_what_another_source_signed_is_not_the_operators() -> None:
    shop = MacKeys("web-shop", "k1", {"k1": "s" * 64})
    found = check_report(sealed(report(), shop), lambda _: shop)
    assert found.signature is Signature.INVALID


def test_a_mac_of_a_record_passes_for_no_report() -> None:
    document = sealed(report(), None)
    document.pop("unsigned")
    document.pop("mac")
    mac = KEYS.sign(document)
    forged = document | {"mac": {"key_id": mac.key_id, "value": mac.value}}
    assert check_report(forged, lambda _: KEYS).signature is Signature.INVALID


def test_an_unsigned_report_says_why_and_is_whole() -> None:
    document = sealed(report(), None, "GetSecretValue is not allowed")
    assert document["unsigned"] == "GetSecretValue is not allowed"
    found = check_report(reread(document), lambda _: KEYS)
    assert (found.is_good, found.signature) == (True, Signature.NONE)


def test_who_has_no_key_learns_that_it_is_whole_and_no_more() -> None:
    def nobody(_: str) -> MacKeys:
        why = "no stack here"
        raise NoKeysError(why)

    found = check_report(sealed(report(), KEYS), nobody)
    assert (found.is_good, found.signature, found.why) == (
        True,
        Signature.NOT_CHECKED,
        "no stack here",
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"report": 2}', "[" * 100_000])
def test_what_is_no_report_is_none(text: str) -> None:
    assert read_report(text) is None


@pytest.mark.parametrize("mac", [{}, {"key_id": 1, "value": None}, {"key_id": "operator/k9"}])
def test_a_mac_that_nobody_could_make_is_invalid(mac: dict[str, Any]) -> None:
    document = sealed(report(), KEYS) | {"mac": mac}
    assert check_report(document, lambda _: KEYS).signature is Signature.INVALID
