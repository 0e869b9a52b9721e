"""The page's views on moto's services: what they show, and what they do."""

from __future__ import annotations

import io
import json
from typing import Any

import boto3
import pytest

from functional.cli.test_calls import index
from functional.cli.test_commands import Cloud, MotoApp, cloud, run
from functional.cli.test_dlq_in_stack import Function, function
from functional.cli.test_policy import NAME, document, ssm
from reprise.call.target import new_call_id
from reprise.instant import utc_now
from reprise.ledger import State
from reprise_cli.exits import CommandError, NotFoundError, UsageError
from reprise_cli.options import Options
from reprise_cli.output import Output
from reprise_cli.page.heard import heard
from reprise_cli.page.letter_jobs import LetterJobPages
from reprise_cli.page.letters import LetterPages
from reprise_cli.page.policy import PolicyPages
from reprise_cli.page.routes import ROUTES
from reprise_cli.page.workbench import make_views
from reprise_cli.place import Place
from strategies import make_row

__all__ = ["cloud", "function", "ssm"]


@pytest.fixture
def app(cloud: Cloud) -> MotoApp:
    del cloud
    return MotoApp(Options(), Output(is_json=True, stdout=io.StringIO()), Place())


def letters_of(app: MotoApp) -> LetterPages:
    return LetterPages(*heard(app))


def jobs_of(app: MotoApp) -> LetterJobPages:
    return LetterJobPages(*heard(app), changed=lambda: None)


def test_every_route_has_its_view(app: MotoApp, ssm: Any) -> None:
    del ssm
    views = make_views(app, shows_payload=False, operates=True)
    assert views.keys() == {route.view for route in ROUTES.values()}


def test_letters_are_listed_and_grouped_and_none_shows_its_payload(
    app: MotoApp, cloud: Cloud
) -> None:
    for number in range(3):
        cloud.give_up(f"call-{number}")
    cloud.give_up("old", reason="expired")
    pages = letters_of(app)
    found = pages.list({"reason": "exhausted"})
    assert (found["count"], found["seen"], found["is_all"]) == (3, 4, True)
    (group,) = found["groups"]
    assert (group["letters"], group["target"], group["reason"]) == (3, "orders", "exhausted")
    assert pages.list({"error": group["filter"], "reason": "exhausted"})["count"] == 3
    assert pages.list({"target": "nobody"})["count"] == 0
    one = pages.one({"id": "call-1"})
    assert one["id"] == "call-1"
    for told in (found, one, letters_of(app).one({"id": "call-1"})):
        assert '"order"' not in json.dumps(told)
        assert "mac" not in json.dumps(told).lower().split('"')
    assert len(cloud.bodies("DeadLetterQueueUrl")) == 4


def test_a_look_is_filtered_again_and_taken_again_if_that_is_wanted(
    app: MotoApp, cloud: Cloud
) -> None:
    pages = letters_of(app)
    assert pages.list({})["count"] == 0
    cloud.give_up("call-1")
    assert pages.list({})["count"] == 0
    assert pages.list({"fresh": "1"})["count"] == 1
    cloud.give_up("call-2")
    pages.forget()
    assert pages.list({})["count"] == 2


def test_a_letter_that_is_not_there_is_not_found(app: MotoApp) -> None:
    for name in ("nobody", ""):
        with pytest.raises(NotFoundError):
            letters_of(app).one({"id": name})


def test_letters_that_were_tried_are_redriven_by_the_stack_and_the_audit_says_by_whom_and_why(
    app: MotoApp, cloud: Cloud, function: Function
) -> None:
    for number in range(3):
        cloud.give_up(f"call-{number}")
    jobs = jobs_of(app)
    wish = {"all": True, "max": 2, "why": "mended"}
    tried = jobs.dry_run(wish)
    assert (tried["count"], tried["counts"], tried["canary"]) == (2, {"redriven": 2}, 0)
    assert cloud.bodies("ReplayQueueUrl") == []
    begun = jobs.redrive(wish | {"agreed": 2})
    assert begun["count"] == 2
    assert cloud.bodies("ReplayQueueUrl") == []
    assert jobs.one({"id": begun["job"]})["has_ended"] is False
    function.run()
    assert len(cloud.bodies("ReplayQueueUrl")) == 2
    assert len(cloud.bodies("DeadLetterQueueUrl")) == 1
    told = jobs.one({"id": begun["job"]})
    assert (told["state"], told["left"], told["counts"]) == ("done", 0, {"redriven": 2})
    assert (told["by"], told["why"]) == (app.operator, "mended")
    assert told["filters"] == {"max": "2", "all": "yes"}
    assert jobs.list({})["jobs"][0]["id"] == begun["job"]


def test_what_was_not_agreed_to_is_not_touched(app: MotoApp, cloud: Cloud) -> None:
    cloud.give_up("call-1")
    jobs = jobs_of(app)
    for agreed in ({}, {"agreed": 2}):
        with pytest.raises(UsageError, match=r"agreed"):
            jobs.redrive({"all": True, **agreed})
    assert jobs.list({})["jobs"] == []
    assert cloud.bodies("LetterJobsQueueUrl") == []


def test_a_job_is_stopped_and_gone_on_with(app: MotoApp, cloud: Cloud, function: Function) -> None:
    cloud.give_up("call-1")
    jobs = jobs_of(app)
    job = jobs.redrive({"all": True, "agreed": 1})["job"]
    jobs.stop({"job": job})
    function.run()
    told = jobs.one({"id": job})
    assert (told["state"], told["left"], told["has_ended"]) == ("cancelled", 1, True)
    assert cloud.bodies("ReplayQueueUrl") == []
    with pytest.raises(UsageError, match="does not run"):
        jobs.stop({"job": job})
    jobs.resume({"job": job})
    function.run()
    assert jobs.one({"id": job})["state"] == "done"
    assert len(cloud.bodies("ReplayQueueUrl")) == 1


def test_what_the_command_runs_is_shown_and_left_to_the_command(app: MotoApp, cloud: Cloud) -> None:
    cloud.give_up("call-1")
    run("dlq", "redrive", "call-1")
    jobs = jobs_of(app)
    (job,) = jobs.list({})["jobs"]
    assert (job["state"], job["counts"]) == ("done", {"redriven": 1})
    assert jobs.one({"id": job["id"]})["is_of_stack"] is False
    for act in (jobs.stop, jobs.resume):
        with pytest.raises(UsageError, match="does not run in the stack"):
            act({"job": job["id"]})


def test_a_discard_needs_its_reason_and_the_ledger_keeps_it(
    app: MotoApp, cloud: Cloud, function: Function
) -> None:
    cloud.give_up("call-1")
    jobs = jobs_of(app)
    with pytest.raises(UsageError, match="why"):
        jobs.discard({"ids": ["call-1"], "agreed": 1})
    with pytest.raises(UsageError, match="verb"):
        jobs.dry_run({"ids": ["call-1"], "verb": "burn"})
    assert jobs.dry_run({"ids": ["call-1"], "verb": "discard"})["counts"] == {"discarded": 1}
    jobs.discard({"ids": ["call-1"], "agreed": 1, "why": "of a test"})
    function.run()
    assert cloud.bodies("DeadLetterQueueUrl") == []
    row = cloud.ledger.get("call-1")
    assert row is not None
    assert row.state is State.DEAD_LETTERED
    assert "of a test" in (row.note or "")


def test_nothing_is_begun_where_the_audit_cannot_be_kept(app: MotoApp, cloud: Cloud) -> None:
    cloud.give_up("call-1")
    jobs = jobs_of(app)
    boto3.client("s3").delete_bucket(Bucket=app.stack.bucket)
    with pytest.raises(CommandError, match="nothing was touched"):
        jobs.redrive({"all": True, "agreed": 1})
    assert cloud.bodies("ReplayQueueUrl") == []


def test_a_pause_and_its_end_stand_in_the_history_with_their_reasons(
    app: MotoApp, ssm: Any
) -> None:
    pages = PolicyPages(app)
    done = pages.pause({"target": "orders", "reason": "its vendor is down"})
    assert done == {"version": 2, "changes": ["targets.orders.enabled: not said -> false"]}
    shown = pages.show({})
    assert shown["paused"]["orders"]["why"] == "its vendor is down"
    assert shown["history"][0]["why"] == "pause orders: its vendor is down"
    assert pages.pause({"target": "orders"})["changes"] == []
    assert pages.resume({"target": "orders"})["version"] == 3
    assert pages.show({})["paused"] == {}
    pages.pause({"all": True})
    assert document(ssm)["default"] == {"enabled": False}


@pytest.mark.parametrize("asked", [{}, {"target": "orders", "all": True}, {"all": 1}], ids=str)
def test_a_switch_says_what_it_means(app: MotoApp, ssm: Any, asked: dict[str, Any]) -> None:
    before = document(ssm)
    with pytest.raises(UsageError):
        PolicyPages(app).pause(asked)
    assert document(ssm) == before


def test_what_nobody_may_call_is_not_paused_and_a_near_name_is_said(app: MotoApp, ssm: Any) -> None:
    before = document(ssm)
    with pytest.raises(CommandError, match="Did you mean orders"):
        PolicyPages(app).pause({"target": "order"})
    assert document(ssm) == before


def test_a_document_that_is_not_valid_is_shown_with_what_is_wrong(app: MotoApp, ssm: Any) -> None:
    text = '{"targets": {"orders": {"enbaled": false}}}'
    ssm.put_parameter(Name=NAME, Value=text, Type="String", Overwrite=True)
    shown = PolicyPages(app).show({})
    assert "enbaled" in shown["problem"]
    assert shown["text"] == text
    with pytest.raises(CommandError, match="enbaled"):
        PolicyPages(app).resume({"target": "orders"})


def test_a_payload_is_shown_only_if_it_may_be_and_a_result_only_if_it_is_asked_for(
    app: MotoApp, ssm: Any, cloud: Cloud
) -> None:
    del ssm
    cloud.give_up("call-1")
    views = make_views(app, shows_payload=False, operates=False)
    story = views["call"]({"id": "call-1"})
    assert (story["payload"], story["result"], story["may_show_payload"]) == (None, None, False)
    with pytest.raises(UsageError, match="--show-payload"):
        views["call"]({"id": "call-1", "show": "payload"})


def test_calls_are_listed_and_named_by_their_beginning(
    app: MotoApp, ssm: Any, cloud: Cloud
) -> None:
    del ssm
    now_ms = int(utc_now().timestamp() * 1000)
    ids = [new_call_id(now_ms, bytes([number] * 10)) for number in range(3)]
    for call_id in ids:
        cloud.ledger.record(make_row(id=call_id, captured_at=index(call_id)))
    views = make_views(app, shows_payload=False, operates=False)
    found = views["calls"]({})
    assert {call["id"] for call in found["calls"]} == set(ids)
    assert [(group["target"], group["calls"]) for group in found["groups"]] == [("orders", 3)]
    assert views["calls"]({"state": "succeeded"})["count"] == 0
    assert len(views["calls"]({"limit": "2"})["calls"]) == 2
    notes = views["calls"]({"limit": "2"})["notes"]
    assert any(note.endswith("there are more") for note in notes)
    assert views["call"]({"id": ids[0][:-3]})["id"] == ids[0]
    for field, value in (("state", "asleep"), ("reason", "exhaused"), ("target", "oders")):
        with pytest.raises(UsageError, match=field):
            views["calls"]({field: value})


def test_a_page_that_only_reads_asks_not_who_reads(app: MotoApp, ssm: Any) -> None:
    del ssm
    assert make_views(app, shows_payload=False, operates=False)["place"]({})["operator"] == ""
    assert "arn:" in make_views(app, shows_payload=False, operates=True)["place"]({})["operator"]
