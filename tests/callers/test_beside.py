"""Callers with the endpoint beside them, or the plugin in them."""

from __future__ import annotations

import json
from http.server import ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from callers.sdks import CALLERS, REPOSITORY, CallerError, Seen
from callers.table import (
    ACCOUNT,
    COLUMNS,
    ENDPOINT,
    FUNCTION_ERROR,
    NO_ANSWER,
    PLUGIN,
    SERVICE_ERROR,
    SUCCESS,
    Cell,
)
from endpoint.conftest import world as loopback
from endpoint_place import FINE, THROTTLED, Answer, Handler, World, run

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["loopback"]

WAIT_S, ANSWER_S, UNHURRIED_S = 1, 2.5, 30
BESIDE = (*ENDPOINT, *PLUGIN)
_ACCOUNT = {"Reason": "ConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."}
_FAILED = b'{"errorType": "ValueError", "errorMessage": "bad order"}'
ANSWERS = {
    ACCOUNT: Answer(429, json.dumps(_ACCOUNT).encode(), THROTTLED.headers),
    SERVICE_ERROR: Answer(
        500, b'{"message": "internal"}', {"x-amzn-errortype": "ServiceException"}
    ),
    NO_ANSWER: FINE,
    FUNCTION_ERROR: Answer(200, _FAILED, {"x-amz-function-error": "Unhandled"}),
    SUCCESS: FINE,
}


def beside_the_endpoint(world: World, caller: str, read_timeout_s: int, **settings: str) -> Seen:
    for place in run(world, REPRISE_CALL_TIMEOUT_S=str(read_timeout_s), **settings):
        return CALLERS[caller]({"AWS_ENDPOINT_URL_LAMBDA": place.url}, '{"n": 1}', UNHURRIED_S)
    raise AssertionError


def with_the_plugin(world: World, caller: str, read_timeout_s: int, **settings: str) -> Seen:
    handler = type("OneWorld", (Handler,), {"world": world})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "BOTOCORE_EXPERIMENTAL__PLUGINS": "reprise=reprise.boto3_plugin",
            "REPRISE_SOURCE": "web-shop",
            "PYTHONPATH": str(REPOSITORY / "shared"),
            **settings,
        }
        try:
            return CALLERS[caller](env, '{"n": 1}', read_timeout_s)
        finally:
            server.shutdown()


def make_call(world: World, row: str, read_timeout_s: int = UNHURRIED_S, **settings: str) -> Seen:
    make = beside_the_endpoint if row in ENDPOINT else with_the_plugin
    return make(world, row, read_timeout_s, **settings)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", BESIDE)
def test_caller_beside_sends_a_call_once_and_is_told_the_truth(
    loopback: World, row: str, column: str, tell: Callable[[str, str, Cell], None]
) -> None:
    loopback.answer = answer = ANSWERS.get(column, THROTTLED)
    if column == NO_ANSWER:
        loopback.meanwhile = lambda: Event().wait(ANSWER_S)
    seen = make_call(loopback, row, WAIT_S if column == NO_ANSWER else UNHURRIED_S)
    records = loopback.records()
    error = f" `{seen.error}`" if seen.error else ""
    tell(row, column, Cell(f"{seen.status}{error}", bool(records), len(loopback.sends)))
    assert len(loopback.lines) == len(records) <= 1
    if records:
        document = json.loads(seen.body)
        assert document["errorType"] == "Reprise.Captured"
        assert document["reprise"]["id"] == records[0].id
    else:
        assert seen.body.encode() == answer.body


@pytest.mark.parametrize("row", BESIDE)
def test_kept_call_may_be_an_exception_of_every_sdk_after_one_send(
    loopback: World, row: str
) -> None:
    loopback.answer = THROTTLED
    with pytest.raises(CallerError, match="CallCapturedException") as caught:
        make_call(loopback, row, REPRISE_ON_CAPTURE="exception")
    (record,) = loopback.records()
    assert f"kept as {record.id}" in str(caught.value)
    assert len(loopback.sends) == 1


@pytest.mark.parametrize("row", BESIDE)
def test_kept_call_may_be_a_plain_202(loopback: World, row: str) -> None:
    loopback.answer = THROTTLED
    seen = make_call(loopback, row, REPRISE_ON_CAPTURE="accepted")
    assert (seen.status, seen.error) == (202, None)
    assert json.loads(seen.body)["reprise"]["id"] == loopback.records()[0].id
    assert len(loopback.sends) == 1
