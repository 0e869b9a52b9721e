from __future__ import annotations

import base64
import io
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from moto import mock_aws

import reprise
from doubles import FakeKeys
from reprise import decorator
from reprise.aws.clients import Clients
from reprise.call.outcome import OutcomeKind
from reprise.call.payload import MAX_PAYLOAD_BYTES
from reprise.capturing.line import Verifier, context_for_replay, read_line
from reprise.capturing.signature import MacKeys
from strategies import KEY, ORDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise.capturing.record import Record

SECRET = json.dumps({"current": "k1", "k1": KEY, "targets": [ORDERS]})
TRUSTED = Verifier(keys=FakeKeys(MacKeys.from_secret(SECRET, "orders")), targets=(ORDERS,))


@pytest.fixture(autouse=True)
def env(aws_env: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    del aws_env
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        name = f"{uuid4()}/source/orders"
        arn = Clients().secrets().create_secret(Name=name, SecretString=SECRET)["ARN"]
        patch.setenv("REPRISE_BUCKET", "bucket")
        patch.setenv("REPRISE_CAPTURE_LOG_GROUP", "stdout")
        patch.setenv("REPRISE_MAC_SECRET_ARN", arn)
        patch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
        decorator._default.cache_clear()  # noqa: SLF001 - each test starts a process anew
        yield patch
        decorator._default.cache_clear()  # noqa: SLF001 - as above


class SkuError(Exception):
    """The target's own."""


@reprise.capture
def handler(event: Any, context: Any) -> str:  # noqa: ARG001 - Lambda's own signature
    """Sell something."""
    if isinstance(event, dict) and "sku" not in event:
        raise SkuError("no sku\nin it")  # noqa: TRY003 - a target's own habits
    return "sold"


REQUEST_ID = "8e6e0f0e-3c5e-4a1c-9c0a-000000000001"


def _context(
    arn: str = f"{ORDERS}:live", custom: object = None, request_id: str = REQUEST_ID
) -> SimpleNamespace:
    return SimpleNamespace(
        invoked_function_arn=arn,
        aws_request_id=request_id,
        client_context=SimpleNamespace(custom=custom),
    )


def _records(capsys: pytest.CaptureFixture[str]) -> list[Record]:
    found = [read_line(line, TRUSTED) for line in capsys.readouterr().out.splitlines()]
    return [record for record in found if record is not None]


def test_a_handler_that_returns_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert handler({"sku": 1}, _context()) == "sold"
    assert (handler.__name__, handler.__doc__) == ("handler", "Sell something.")
    assert capsys.readouterr().out == ""


def test_a_handler_that_raises_raises_on_and_its_event_is_captured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SkuError):
        handler({"order": "ü", "list": [1, 2.5, None]}, _context())
    (record,) = _records(capsys)
    assert record.payload.inline is not None
    assert json.loads(record.payload.inline) == {"order": "ü", "list": [1, 2.5, None]}
    assert (record.target.function, record.target.qualifier) == (ORDERS, "live")
    assert record.source.name == "orders"
    assert (record.outcome.kind, record.outcome.code, record.outcome.message) == (
        OutcomeKind.FUNCTION_ERROR,
        "SkuError",
        "no sku in it",
    )


@reprise.capture(on=(SkuError, ConnectionError))
def chosen(event: Any, context: Any) -> str:  # noqa: ARG001 - Lambda's own signature
    """Raise what the event names."""
    raise {"sku": SkuError, "reset": ConnectionResetError, "type": TypeError}[event]("m")


@pytest.mark.parametrize(("event", "count"), [("sku", 1), ("reset", 1), ("type", 0)])
def test_only_errors_that_are_named_are_captured_and_all_are_raised_on(
    event: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((SkuError, ConnectionResetError, TypeError)):
        chosen(event, _context())
    assert len(_records(capsys)) == count
    assert (chosen.__name__, chosen.__doc__) == ("chosen", "Raise what the event names.")


@pytest.mark.parametrize("on", ["ValueError", (), (ValueError, 7), KeyboardInterrupt, None])
def test_what_is_no_error_is_refused_when_the_module_is_loaded(on: Any) -> None:
    with pytest.raises(TypeError, match="capture: on must be an Exception class"):
        reprise.capture(on=on)


def test_an_unqualified_invocation_has_no_qualifier(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SkuError):
        handler({}, _context(ORDERS))
    (record,) = _records(capsys)
    assert (record.target.function, record.target.qualifier) == (ORDERS, None)


def test_lambdas_tries_of_one_event_are_one_call(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        with pytest.raises(SkuError):
            handler({"order": 1}, _context())
    first, *others = _records(capsys)
    assert len(others) == 2
    assert first.id.startswith(f"orders:{REQUEST_ID}~")
    assert {record.id for record in others} == {first.id}
    assert {record.payload for record in others} == {first.payload}


def test_two_events_are_two_calls_even_if_they_say_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number in (1, 2):
        with pytest.raises(SkuError):
            handler({"order": 1}, _context(request_id=f"request-{number}"))
    first, second = _records(capsys)
    assert first.id != second.id


def test_a_replay_that_fails_is_not_captured_again(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SkuError):
        handler({}, _context())
    (record,) = _records(capsys)
    context = context_for_replay(record)
    assert context is not None
    # What Lambda's Python runtime makes of it.
    custom = json.loads(base64.b64decode(context))["custom"]
    with pytest.raises(SkuError):
        handler({}, _context(custom=custom))
    assert _records(capsys) == []


@pytest.mark.parametrize(
    ("event", "context"),
    [
        ({}, None),
        ({}, SimpleNamespace()),
        ({}, _context("not an arn")),
        ({"x": object()}, _context()),
        ({"x": "y" * (MAX_PAYLOAD_BYTES + 1)}, _context()),
        ({"x": "y" * 400_000}, SimpleNamespace(invoked_function_arn=None)),
    ],
    ids=["no context", "bare context", "odd arn", "no JSON", "too long", "null arn"],
)
def test_a_capture_that_fails_never_hides_the_targets_error(event: Any, context: Any) -> None:
    with pytest.raises(SkuError):
        handler(event, context)


@pytest.mark.parametrize("name", ["REPRISE_BUCKET", "REPRISE_MAC_SECRET_ARN"])
def test_a_missing_setting_never_hides_the_targets_error_and_is_logged(
    env: pytest.MonkeyPatch, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    env.delenv(name)
    with pytest.raises(SkuError):
        handler({}, _context())
    assert "failed event was not captured" in caplog.text
    assert name in caplog.text


def test_a_key_that_cannot_be_had_never_hides_the_targets_error(
    env: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    env.setenv("REPRISE_MAC_SECRET_ARN", "nowhere")
    with pytest.raises(SkuError):
        handler({}, _context())
    assert _records(capsys) == []


def test_a_broken_standard_output_never_hides_the_targets_error(env: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text[:0])

    env.setattr(sys, "stdout", Broken())
    with pytest.raises(SkuError):
        handler({}, _context())


def test_what_is_no_ordinary_error_is_not_captured(capsys: pytest.CaptureFixture[str]) -> None:
    @reprise.capture
    def stopping(event: Any, context: Any) -> None:  # noqa: ARG001 - Lambda's own signature
        raise SystemExit

    with pytest.raises(SystemExit):
        stopping({}, _context())
    assert _records(capsys) == []
