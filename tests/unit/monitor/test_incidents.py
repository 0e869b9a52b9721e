from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise.events import IncidentClosed, IncidentOpened
from reprise.monitor.counters import BacklogCounters
from reprise.monitor.incidents import Alarm, IncidentContext, incidents
from reprise.monitor.snapshot import MonitorState

if TYPE_CHECKING:
    from reprise.events import Incident

SCENE = IncidentContext(
    stack="shop",
    at_s=1_795_000_000.0,
    counters={
        "orders": BacklogCounters(known=9, ended=7, dead={"exhausted": 3, "expired": 1}),
        "mail": BacklogCounters(known=1, ended=1, dead={"unknown": 1}),
    },
    dead_letters=5,
    dashboard="https://console.example.com/d",
    runbooks="docs/runbooks",
)
DEAD = Alarm(name="dead-letters", state="ALARM", reason="Threshold crossed")
OK = replace(DEAD, state="OK")
AGAIN = replace(
    SCENE,
    counters={**SCENE.counters, "mail": BacklogCounters(known=3, ended=3, dead={"unknown": 3})},
    dead_letters=2,
)


def one(
    memory: MonitorState, alarm: Alarm, scene: IncidentContext = SCENE
) -> tuple[MonitorState, Incident]:
    memory, told = incidents(memory, [alarm], scene)
    (incident,) = told
    return memory, incident


def test_dead_letters_are_one_message_with_functions_reasons_and_count() -> None:
    _, incident = one(MonitorState(), DEAD)
    assert isinstance(incident, IncidentOpened)
    assert incident.function == "orders, mail"
    assert incident.reason == "orders 3 exhausted, orders 1 expired, mail 1 unknown"
    assert incident.count == 5
    assert incident.dashboard == "https://console.example.com/d"
    assert incident.runbook == "docs/runbooks/dead-letters.md"
    assert incident.summary == (
        "shop: calls were given up. Function: orders, mail. Count: 5. "
        "Reason: orders 3 exhausted, orders 1 expired, mail 1 unknown."
    )


def test_an_incident_is_told_once_and_its_end_once() -> None:
    memory, _ = one(MonitorState(), DEAD)
    memory, told = incidents(memory, [DEAD], SCENE)
    assert told == []
    later = replace(SCENE, at_s=SCENE.at_s + 600)
    memory, incident = one(memory, replace(DEAD, state="OK"), later)
    assert isinstance(incident, IncidentClosed)
    assert (incident.age_s, incident.summary) == (
        600,
        "shop: over after 10 min: calls were given up.",
    )
    assert incidents(memory, [replace(DEAD, state="OK")], later)[1] == []


def test_the_next_incident_names_what_died_since_the_last() -> None:
    memory, _ = one(MonitorState(), DEAD)
    memory, _ = one(memory, OK, replace(SCENE, dead_letters=0))
    _, incident = one(memory, DEAD, AGAIN)
    assert (incident.function, incident.reason, incident.count) == ("mail", "mail 2 unknown", 2)


@pytest.mark.parametrize("depth", [0, 2])
def test_letters_that_are_counted_a_look_before_their_alarm_are_named_in_it(depth: int) -> None:
    """SQS's number may lag by a look, and CloudWatch's alarm by another one."""
    memory, _ = one(MonitorState(), DEAD)
    memory, _ = one(memory, OK, replace(SCENE, dead_letters=0))
    memory, told = incidents(memory, [OK], replace(AGAIN, dead_letters=depth))
    assert told == []
    _, incident = one(memory, DEAD, AGAIN)
    assert incident.reason == "mail 2 unknown"


def test_an_alarm_that_comes_before_its_letters_are_counted_waits_for_the_next_look() -> None:
    memory, told = incidents(MonitorState(), [OK], replace(SCENE, dead_letters=0))
    memory, told = incidents(memory, [OK], replace(SCENE, dead_letters=0))
    memory, told = incidents(memory, [DEAD], replace(SCENE, dead_letters=2))
    assert told == []
    _, incident = one(memory, DEAD, AGAIN)
    assert (incident.function, incident.reason) == ("mail", "mail 2 unknown")


def test_letters_that_no_book_counts_are_told_at_the_second_look() -> None:
    memory, told = incidents(MonitorState(), [DEAD], replace(SCENE, counters={}))
    assert told == []
    memory, incident = one(memory, DEAD, replace(SCENE, counters={}))
    assert (incident.function, incident.reason) == ("", "Threshold crossed")
    memory, told = incidents(memory, [OK], replace(SCENE, counters={}))
    memory, told = incidents(memory, [DEAD], replace(SCENE, counters={}))
    assert told == [], "each incident waits anew"


def test_an_alarm_that_ends_before_its_letters_are_counted_is_not_told() -> None:
    memory, _ = incidents(MonitorState(), [DEAD], replace(SCENE, counters={}))
    memory, told = incidents(memory, [OK], replace(SCENE, counters={}))
    assert told == []
    assert incidents(memory, [DEAD], replace(SCENE, counters={}))[1] == []


def test_an_alarm_without_enough_data_changes_nothing() -> None:
    memory, _ = one(MonitorState(), DEAD)
    assert incidents(memory, [replace(DEAD, state="INSUFFICIENT_DATA")], SCENE)[1] == []
    assert incidents(MonitorState(), [replace(DEAD, state="INSUFFICIENT_DATA")], SCENE)[1] == []


def test_a_hold_names_its_function_and_how_long_it_has_held() -> None:
    held_s = {"arn:aws:lambda:eu-central-1:1:function:orders": 7500.0}
    alarm = Alarm(name="holding", state="ALARM")
    _, incident = one(MonitorState(), alarm, replace(SCENE, held_s=held_s))
    assert (incident.function, incident.reason, incident.count) == (
        "orders",
        "orders held for 2.1 h",
        2,
    )


def test_waiting_calls_name_the_targets_that_have_some() -> None:
    _, incident = one(
        MonitorState(), Alarm(name="waiting", state="ALARM", reason="4000 above 3600")
    )
    assert (incident.function, incident.reason, incident.count) == ("orders", "4000 above 3600", 2)


def test_an_incident_of_the_pipeline_has_cloudwatchs_own_reason_and_its_runbook() -> None:
    _, incident = one(
        MonitorState(), Alarm(name="capture-delivery-late", state="ALARM", reason="late")
    )
    assert (incident.function, incident.reason, incident.count) == ("", "late", 0)
    assert incident.runbook == "docs/runbooks/capture-path.md"


anything = st.text(st.characters() | st.sampled_from('<>|!@#"`\\\n\r\x1b\x9b\u202e'))


@given(reason=anything, label=anything)
@pytest.mark.parametrize("name", ["quarantine", "dead-letters", "waiting"])
def test_no_text_is_more_than_text_in_the_message_that_it_is_put_into(
    name: str, reason: str, label: str
) -> None:
    """EventBridge puts texts between the quotes of a template as they are, and Slack obeys `<...>`."""
    book = BacklogCounters(known=2, ended=1, dead={reason: 1})
    scene = replace(SCENE, counters={label: book}, held_s={label: 1.0})
    _, incident = one(MonitorState(), Alarm(name=name, state="ALARM", reason=reason), scene)
    told = incident.summary + incident.reason + incident.function
    assert told.isprintable()
    assert not set('"\\`<>') & set(told)
    json.loads(f'{{"text": "{told}"}}')


def test_what_a_reason_would_do_in_slack_can_be_read_there() -> None:
    alarm = Alarm(name="quarantine", state="ALARM", reason="<!channel> `a` <http://x|y>\x1b")
    assert one(MonitorState(), alarm)[1].reason == "(!channel) 'a' (http://x|y)/x1b"


def test_what_was_told_survives_as_json() -> None:
    memory, _ = one(MonitorState(), DEAD)
    assert msgspec.json.decode(msgspec.json.encode(memory), type=MonitorState) == memory
