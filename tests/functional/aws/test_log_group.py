"""Writing capture lines by CloudWatch Logs' API, on moto."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.stub import ANY, Stubber

from doubles import FakeClock
from reprise.aws.log_group import LogGroup
from reprise.errors import StoreError
from reprise.testing import START_AT

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

    from reprise.aws.clients import Clients


@pytest.fixture
def logs(clients: Clients) -> CloudWatchLogsClient:
    return clients.capture_lines()


def events_of(logs: CloudWatchLogsClient, group: str, stream: str) -> list[Any]:
    found = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    return list(found["events"])


def test_a_line_is_one_event_and_the_stream_is_made_when_it_is_missed(
    logs: CloudWatchLogsClient,
) -> None:
    group = f"/reprise/{uuid4()}/capture"
    logs.create_log_group(logGroupName=group)
    now = FakeClock()
    sink = LogGroup(logs, group, "web/1", now)
    sink('{"n":1}')
    sink('{"n":2}')
    events = events_of(logs, group, "web/1")
    assert [event["message"] for event in events] == ['{"n":1}', '{"n":2}']
    assert {event["timestamp"] for event in events} == {round(START_AT.timestamp() * 1000)}


def test_a_stream_that_another_thread_has_just_made_is_taken(logs: CloudWatchLogsClient) -> None:
    with Stubber(logs) as stub:
        stub.add_client_error("put_log_events", "ResourceNotFoundException")
        stub.add_client_error("create_log_stream", "ResourceAlreadyExistsException")
        stub.add_response("put_log_events", {})
        LogGroup(logs, "g", "s", FakeClock())("line")
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_what_logs_refuses_is_a_store_error(logs: CloudWatchLogsClient, code: str) -> None:
    with Stubber(logs) as stub:
        stub.add_client_error("put_log_events", code)
        with pytest.raises(StoreError) as caught:
            LogGroup(logs, "g", "s", FakeClock())("line")
    assert (caught.value.service, caught.value.code) == ("logs", code)


def test_a_group_that_is_not_there_is_a_store_error(logs: CloudWatchLogsClient) -> None:
    with pytest.raises(StoreError) as caught:
        LogGroup(logs, f"/none/{uuid4()}", "s", FakeClock())("line")
    assert caught.value.code == "ResourceNotFoundException"


def test_an_event_that_logs_drops_is_not_written(logs: CloudWatchLogsClient) -> None:
    """PutLogEvents answers 200 and drops what is over two hours in the future: a wrong clock."""
    with Stubber(logs) as stub:
        stub.add_response(
            "put_log_events",
            {"rejectedLogEventsInfo": {"tooNewLogEventStartIndex": 0}},
            {"logGroupName": "g", "logStreamName": "s", "logEvents": ANY},
        )
        with pytest.raises(StoreError, match="clock"):
            LogGroup(logs, "g", "s", FakeClock())("line")
