"""What docs/reference/contract.md promises, held to the code, and the code to what 0.1.0 wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from reprise import metric
from reprise.aws.ledger_rows import from_item, to_item
from reprise.call.outcome import OutcomeKind
from reprise.events import EVENTS
from reprise.ledger import TERMINAL, State
from reprise.retry.policy import read_policy_document
from reprise_cli.exits import ExitCode
from reprise_letters.letter import LetterKind, read_letter
from reprise_replies.deliver import DETAIL_TYPE

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/reference/contract.md").read_text()
SCHEMA: Final = json.loads((ROOT / "docs/reference/capture-line.schema.json").read_text())
OLD: Final[dict[str, Any]] = json.loads((ROOT / "tests/events/written-by-0.1.0.json").read_text())
OLD_LINES: Final = (ROOT / "tests/events/capture-lines-0.1.0.jsonl").read_text().splitlines()


def named(after: str) -> list[str]:
    """Return the names in code type that follow some words of the page, up to the line's end."""
    [listed] = re.findall(rf"{re.escape(after)}\n?((?: ?`[^`]+`)+)", PAGE)
    return re.findall(r"`([^`]+)`", listed)


def test_the_page_has_the_states() -> None:
    assert named("States: ") == [state.value for state in State]
    assert set(named("States: ")[-2:]) == {state.value for state in TERMINAL}


def test_the_page_has_the_outcomes() -> None:
    assert set(named("Outcomes: ")) == {kind.value for kind in OutcomeKind}


def test_the_page_has_what_every_line_has() -> None:
    always = set(named("Always there:"))
    assert all(set(json.loads(line)) == always for line in OLD_LINES)
    now = json.loads((ROOT / "tests/events/contract-vectors.json").read_text())["lines"]
    assert all(always <= set(json.loads(each["line"])) for each in now)
    assert set(SCHEMA["required"]) <= always <= set(SCHEMA["properties"])


def test_the_page_has_the_events() -> None:
    assert set(named("Detail types: ")) == {each.detail_type for each in EVENTS} | {DETAIL_TYPE}


def test_the_page_has_the_exit_codes() -> None:
    rows = re.findall(r"^\| (\d) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [int(code) for code, _ in rows] == [code.value for code in ExitCode]


def test_the_metrics_of_0_1_0_are_measured_still() -> None:
    gone = {"Folded"}  # Backlog has what it had: docs/adr/0026
    assert set(OLD["metrics"]) - set(metric.TABLE) == gone


@pytest.mark.parametrize("item", OLD["rows"], ids=lambda item: str(item["state"]["S"]))
def test_a_row_of_0_1_0_is_read_and_written_back_whole(item: dict[str, Any]) -> None:
    again = to_item(from_item(item))
    assert {name: json_or_text(again[name]) for name in item} == {
        name: json_or_text(value) for name, value in item.items()
    }


def json_or_text(attribute: dict[str, Any]) -> object:
    [value] = attribute.values()
    return json.loads(value) if str(value).startswith("[") else value


def test_there_is_a_row_of_each_state() -> None:
    assert {from_item(item).state for item in OLD["rows"]} == set(State)


@pytest.mark.parametrize(
    "document", OLD["letters"], ids=lambda each: str(each["reprise"]["reason"])
)
def test_a_dead_letter_of_0_1_0_is_read_and_can_go_back(document: dict[str, Any]) -> None:
    letter = read_letter({"MessageId": "m", "Body": json.dumps(document), "Attributes": {}})
    assert letter.kind is LetterKind.DEAD_LETTER
    assert letter.record is not None
    assert letter.record.id == document["reprise"]["id"]
    assert letter.reason == document["reprise"]["reason"]
    assert letter.is_redrivable == (letter.reason != "key_conflict")


@pytest.mark.parametrize("event", OLD["events"], ids=lambda each: str(each["detail_type"]))
def test_an_event_still_has_every_field_that_it_had_in_0_1_0(event: dict[str, Any]) -> None:
    [kind] = [each for each in EVENTS if each.detail_type == event["detail_type"]]
    again = msgspec.to_builtins(msgspec.convert(event["detail"], kind))
    assert again.items() >= event["detail"].items()


def test_a_policy_document_of_0_1_0_is_in_force() -> None:
    book = read_policy_document(json.dumps(OLD["policies"]))
    orders, other = book.for_target("orders"), book.for_target("other")
    assert (orders.maximum_attempts, other.maximum_attempts) == (5, 3)
    assert (other.initial_interval_s, other.maximum_interval_s) == (60.0, 300.0)
    assert (orders.idempotent, orders.max_concurrency) == (True, 7)
