"""Lines read back from CloudWatch Logs: what is asked of it, by a scripted server."""

from __future__ import annotations

import json

import pytest

from reprise.aws.clients import Clients
from reprise.aws.inspector import FILTER_PATTERN
from reprise.aws.log_search import LogGroupSearch
from reprise.errors import StoreError
from reprise.monitor.lost_lines import LoggedLine, LogPage
from scripted_server import Answer, ScriptedServer

GROUP = "/reprise/shop/capture"


def page_of(*messages: str, **more: str) -> Answer:
    events = [{"message": each, "timestamp": 7, "logStreamName": "s"} for each in messages]
    return Answer(body=json.dumps({"events": events, **more}).encode())


def ask(patch: pytest.MonkeyPatch, *answers: Answer, token: str = "") -> tuple[LogPage, object]:
    """Return a page, and what was asked for it."""
    with ScriptedServer(*answers) as server:
        patch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", server.url)
        try:
            page = LogGroupSearch(Clients().logs()).page(GROUP, begin_ms=1, end_ms=2, token=token)
        finally:
            patch.delenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS")
    return page, json.loads(server.requests[0].body)


def test_a_page_is_asked_for_by_time_pattern_and_token(aws_env: pytest.MonkeyPatch) -> None:
    window = {"logGroupName": GROUP, "startTime": 1, "endTime": 2, "filterPattern": FILTER_PATTERN}
    page, asked = ask(aws_env, page_of("a", nextToken="t1"))
    assert page == LogPage(lines=(LoggedLine(text="a", at_ms=7),), token="t1")
    assert asked == window
    page, asked = ask(aws_env, page_of("b"), token="t1")
    assert page.token == ""
    assert asked == {**window, "nextToken": "t1"}


def test_an_empty_page_is_not_taken_for_the_last(aws_env: pytest.MonkeyPatch) -> None:
    page, _ = ask(aws_env, page_of(nextToken="t1"))
    assert (page.lines, page.token) == ((), "t1")


@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidParameterException"])
def test_what_cannot_be_read_is_an_error_by_its_code(
    aws_env: pytest.MonkeyPatch, code: str
) -> None:
    body = json.dumps({"__type": code, "message": "no"}).encode()
    with pytest.raises(StoreError) as caught:
        ask(aws_env, Answer(status=400, body=body))
    assert caught.value.code == code


def test_a_group_that_is_not_there_has_no_lines(clients: Clients) -> None:
    search = LogGroupSearch(clients.logs())
    assert search.page("/none", begin_ms=1, end_ms=2, token="") == LogPage(lines=())
