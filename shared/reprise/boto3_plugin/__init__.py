"""Keep the refused calls of Python code that calls Lambda by boto3, as it is.

By two variables, and no code (the AWS SDK loads the plugin into every client that it makes):

    BOTOCORE_EXPERIMENTAL__PLUGINS=reprise=reprise.boto3_plugin
    REPRISE_SOURCE=web-shop            # not needed in a Lambda function that is called as its source

or by one line, for one client or for all that a session makes:

    reprise.boto3_plugin.install(boto3.client("lambda"))

A synchronous `invoke` of one of the stack's targets that is refused, fails on its way or is not answered is
sent once, and captured; what the caller gets is `REPRISE_ON_CAPTURE`'s affair. All else is the SDK's, its own
retries included. See docs/howto/boto3.md.

**What this rests on.** `BOTOCORE_EXPERIMENTAL__PLUGINS` is experimental by its name, and botocore calls its
plugin interface private; `install` does without. Both use events that Boto3's extensibility guide names
(`creating-client-class`, `before-call`, `needs-retry`), and one private attribute of clients, `_endpoint`.
The first client of a process makes a few calls that never leave it (`self_check`): where botocore is not as
expected, making the client fails, and names the versions.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final

from reprise.boto3_plugin.events import Events
from reprise.boto3_plugin.lazy_setup import SETUP
from reprise.boto3_plugin.self_check import check_once
from reprise.settings import OnCapture, outcomes_of, with_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.boto3_plugin.lazy_setup import LazySetup

__all__ = ["PluginFailure", "awscli_initialize", "initialize_client_plugin", "install"]

_log = logging.getLogger(__name__)
SERVICE: Final = "lambda"


class PluginFailure(BaseException):
    """The plugin cannot do its work, and the SDK was told to load it.

    botocore logs an Exception of a plugin at DEBUG, and goes on without the plugin: nobody would notice that
    nothing is captured. So this is none.
    """


def install[T](client_or_session: T) -> T:
    """Let a client of Lambda, or all that a session makes from now on, keep refused calls.

    Args:
        client_or_session: A client of boto3's or botocore's, or a session of either. A client of another
            service is left as it is.

    Returns:
        The same, so that `client = install(boto3.client("lambda"))` is one line.

    Raises:
        SettingsError: If a setting is missing or malformed, or the installed botocore is not as expected.
        TypeError: If it is neither client nor session.

    Example:
        client = reprise.boto3_plugin.install(boto3.client("lambda"))
        client.invoke(FunctionName="orders", Payload=b'{"n": 1}')
    """
    client: Any = client_or_session
    if hasattr(client, "meta"):
        attach(client, os.environ)
        return client_or_session
    events = getattr(client, "events", None)
    if events is None and hasattr(client, "get_component"):
        events = client.get_component("event_emitter")
    if events is None:
        msg = f"install: must be a client or a session of boto3's or botocore's, got {client!r}"
        raise TypeError(msg)
    _watch(events)
    return client_or_session


def awscli_initialize(event_emitter: Any) -> None:  # noqa: ANN401 - botocore's
    """Let the AWS CLI keep refused calls; version 1 calls this for a plugin that its config file names.

    The CLI makes its clients without the SDK's plugins, so that the SDK's variable says nothing to it.
    """
    _watch(event_emitter)


def _watch(events: Any) -> None:  # noqa: ANN401 - botocore's
    """Be told of the class of each client of Lambda before it is made."""
    events.register(
        f"creating-client-class.{SERVICE}", _add_base, unique_id="reprise-creating-client-class"
    )


def initialize_client_plugin(client: Any) -> None:  # noqa: ANN401 - botocore's clients have no type of their own
    """Let a client keep refused calls; botocore calls this for each client that it makes.

    Raises:
        PluginFailure: As `install`'s errors.
    """
    try:
        attach(client, os.environ)
    except Exception as error:
        _log.exception("plugin cannot be loaded")
        raise PluginFailure(str(error)) from error


def attach(client: Any, env: Mapping[str, str], lazy_setup: LazySetup | None = None) -> None:  # noqa: ANN401 - as above
    """Let a client keep refused calls by what captures for this process.

    Raises:
        SettingsError: As `install`.
    """
    if client.meta.service_model.service_name != SERVICE:
        return
    # What can be checked without asking anybody. The stack is asked by the first call that needs it.
    OnCapture.from_env(env)
    outcomes_of(env)
    with_secret(env)
    Events(client, lazy_setup or SETUP).register()
    check_once(client, lambda twin: Events(twin, SETUP).register())


class _Installed:
    """Base of client classes that keep refused calls."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - botocore's own
        super().__init__(*args, **kwargs)
        attach(self, os.environ)


def _add_base(base_classes: list[type], **_: object) -> None:
    """Put our base before botocore's: Boto3 developer guide, "Extensibility guide"."""
    if _Installed not in base_classes:
        base_classes.insert(0, _Installed)
