"""A botocore that is not as the plugin expects is an error at the first client, and names versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore
import botocore.session
import pytest
from botocore.config import Config

from reprise.boto3_plugin import self_check
from reprise.boto3_plugin.events import Events
from reprise.boto3_plugin.lazy_setup import LazySetup
from reprise.boto3_plugin.self_check import check_once
from reprise.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = botocore.session.get_session().create_client(
    "lambda",
    region_name="eu-west-1",
    aws_access_key_id="testing",
    aws_secret_access_key="testing",
    # Where the plugin hears of nothing, the SDK must not wait between its own sends.
    config=Config(retries={"total_max_attempts": 1}),
)


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "_checked", set())


def _register(client: Any) -> None:
    Events(client, LazySetup()).register()


def test_the_installed_botocore_is_as_expected_and_tried_once() -> None:
    tried = 0

    def register(client: Any) -> None:
        nonlocal tried
        tried += 1
        _register(client)

    check_once(CLIENT, register)
    check_once(CLIENT, register)
    assert tried == 1


def test_nobody_who_listens_to_the_client_hears_of_the_check() -> None:
    """The AWS CLI's own handler would write its output file."""
    heard = []

    def listen(event_name: str, **_: object) -> None:
        heard.append(event_name)

    CLIENT.meta.events.register("*", listen)
    try:
        check_once(CLIENT, _register)
    finally:
        CLIENT.meta.events.unregister("*", listen)
    assert [name for name in heard if "endpoint" not in name] == []


def _nothing(_: Any) -> None:
    """A botocore in which no event of ours is heard of."""


def _no_before_call(client: Any) -> None:
    events = Events(client, LazySetup())
    client.meta.events.register_first("needs-retry.lambda.Invoke", events.needs_retry)


def _no_needs_retry(client: Any) -> None:
    client.meta.events.register_last("before-call", Events(client, LazySetup()).before_call)


def _another_answer(client: Any) -> None:
    _register(client)
    client.meta.events.register("after-call", lambda parsed, **_: parsed.pop("FunctionError", None))


def _no_invocation_id(client: Any) -> None:
    _register(client)
    client._endpoint._update_retries_context = lambda context, *_: context.update(retries={})  # noqa: SLF001


@pytest.mark.parametrize(
    "register",
    [_nothing, _no_before_call, _no_needs_retry, _another_answer, _no_invocation_id],
)
def test_another_botocore_is_an_error_that_names_the_versions(
    register: Callable[[Any], None],
) -> None:
    with pytest.raises(SettingsError) as caught:
        check_once(CLIENT, register)
    assert f"botocore {botocore.__version__} with Python 3" in str(caught.value)
    assert "BOTOCORE_EXPERIMENTAL__PLUGINS" in str(caught.value)


def test_a_client_without_the_private_attribute_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(CLIENT, "_endpoint")
    with pytest.raises(SettingsError, match="_endpoint"):
        check_once(CLIENT, _register)
