"""The invoker as Lambda starts it: the import that serves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functional.handlers.conftest import ANSWERED
from invoker.runtime import RuntimeGoneError
from reprise.errors import SettingsError
from unit.invoker.test_runtime import FakeRuntime, runtime

if TYPE_CHECKING:
    from functional.handlers.conftest import Stack

__all__ = ["runtime"]
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:reprise-invoker"


def start(stack: Stack) -> Any:
    stack.loaded.add("invoker.handler")
    return stack.load("invoker.main")


def test_it_serves_from_its_import_on_until_the_environment_ends(
    stack: Stack, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", runtime.address)
    request = {"FunctionName": "orders", "Payload": {"name": "ü"}}
    arns = {"Invoked_Function_Arn": FUNCTION}
    runtime.give(json.dumps(request).encode(), "r-1", **arns)
    runtime.give(b"[1]", "r-2", Invoked_Function_Arn=f"{FUNCTION}:orders")
    runtime.give(b'{"FunctionName":"strangers"}', "r-3", **arns)
    with pytest.raises(RuntimeGoneError):
        start(stack)
    answered, through_door, refused = runtime.told
    assert answered[:2] == ("r-1/response", None)
    assert json.loads(answered[2])["StatusCode"] == 200
    assert through_door == ("r-2/response", None, ANSWERED.body)
    assert json.loads(refused[2])["StatusCode"] == 403
    assert stack.server.requests[0].body == b'{"name":"\\u00fc"}'


def test_without_a_runtime_api_there_is_a_handler(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_RUNTIME_API", raising=False)
    answer = start(stack).lambda_handler({"FunctionName": "orders", "Payload": "{}"}, None)
    assert answer["Payload"] == ANSWERED.body.decode()


def test_what_fails_before_it_serves_is_the_managed_runtimes_to_report(
    stack: Stack, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reports an error of the init phase, as it does for whatever a handler's import raises."""
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", runtime.address)
    monkeypatch.delenv("REPRISE_BUCKET")
    with pytest.raises(SettingsError, match="REPRISE_BUCKET"):
        start(stack)
    assert runtime.connections == set()
