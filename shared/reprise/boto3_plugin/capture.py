"""Capture a call that the SDK made, and answer its caller: for calls that do not succeed, or have keys."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from botocore.exceptions import ClientError

from reprise import metric
from reprise.aws.functions import outcome_of
from reprise.boto3_plugin.exchange import ERROR_FROM, Exchange, answer_of
from reprise.call.outcome import Outcome, OutcomeKind, classify_reply, shorten
from reprise.call.request import CallRequest, check_request
from reprise.call.said import HEADERS, read_said
from reprise.call.target import resolve_target
from reprise.capturing.answer import status_of
from reprise.capturing.kept import (
    EXCEPTION,
    FUNCTION_ERROR,
    ID_HEADER,
    LATE_HEADER,
    NOT_CAPTURED_HEADER,
    TOKEN_HEADER,
    kept_message,
    write_kept,
)
from reprise.errors import BadRequestError, SettingsError
from reprise.ports import Reply
from reprise.settings import ANSWERING_DOORS_CAPTURE, OnCapture

if TYPE_CHECKING:
    from reprise.boto3_plugin.capture_setup import CaptureSetup
    from reprise.boto3_plugin.exchange import Parsed
    from reprise.boto3_plugin.lazy_setup import LazySetup
    from reprise.call.reply_to import ReplyTo
    from reprise.call.said import Said
    from reprise.call.target import Target
    from reprise.capturing.invoker import Answer, Captured

_log = logging.getLogger(__name__)
_PATH: Final = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
_CONTEXT: Final = "X-Amz-Client-Context"
_SDK_KEY: Final = "sdk:"
"""Before the SDK's invocation id, where the caller gave no key: all sends of one call have the same."""
_LONGEST_S: Final = 1800
"""Lambda API reference, CreateFunction, Timeout: how long a client without a time-out may wait."""


def is_captured(exchange: Exchange, own: Parsed | Exception, lazy_setup: LazySetup, /) -> bool:
    """Tell whether a send that ended so is the call's last, since its end is captured."""
    try:
        setup = lazy_setup.get()
    except SettingsError:
        return False
    target = _target(exchange, setup)
    return target is not None and setup.invoker.is_captured(target, _outcome(own).kind)


def answer(exchange: Exchange, lazy_setup: LazySetup, /) -> Parsed:
    """Return what the caller gets; what is not sent yet, since the caller says something of it, is.

    Raises:
        Exception: The SDK's own, where that is the caller's answer.
    """
    try:
        said = _said(exchange)
        if said.reply_to is not None and exchange.own is None:
            _check_place(said.reply_to, lazy_setup)
    except BadRequestError as error:
        return _refused(exchange, error.status, "InvalidParameterValueException", str(error))
    has_key = said.idempotency_key is not None
    if exchange.own is None and not has_key:
        exchange.send()
    if exchange.has_succeeded:
        return exchange.given()
    try:
        setup = lazy_setup.get()
    except SettingsError as error:
        return _without(exchange, f"no settings: {error}")
    target = _target(exchange, setup)
    if target is None:
        return _unlisted(exchange, setup)
    request = CallRequest(
        target=target,
        payload=exchange.body,
        client_context=exchange.params["headers"].get(_CONTEXT),
        idempotency_key=said.idempotency_key,
        scope=said.scope,
        not_after=said.not_after,
        reply_to=said.reply_to,
        trace=exchange.params["headers"].get("X-Amzn-Trace-Id"),
    )
    try:
        check_request(request)
    except BadRequestError as error:
        # Lambda's to refuse: what it takes and we could not carry is not known to be anything.
        return _without(exchange, str(error))
    made = _make_once(exchange, setup, request) if has_key else _keep(exchange, setup, request)
    setup.flush()
    return _told(exchange, setup, made)


def _check_place(reply_to: ReplyTo, lazy_setup: LazySetup) -> None:
    """Accept a place that the stack allows, before anything runs; without settings nothing is captured."""
    with suppress(SettingsError):
        replies = lazy_setup.get().invoker.replies
        if replies is not None:
            replies.check(reply_to)


def _keep(exchange: Exchange, setup: CaptureSetup, request: CallRequest) -> Answer:
    """Capture a call that was sent, if its end is captured; its key is the SDK's, and nobody else's."""
    invocation_id = exchange.params["context"]["retries"]["invocation-id"]
    invoker = replace(setup.invoker, repeats=None, ledger=None)
    return invoker.finish(
        replace(request, idempotency_key=f"{_SDK_KEY}{invocation_id}"), _reply(exchange)
    )


def _make_once(exchange: Exchange, setup: CaptureSetup, request: CallRequest) -> Answer:
    """Make a call with a key of the caller's own, by the rules of every such call."""
    repeats = setup.invoker.repeats
    if repeats is not None:
        # The client may wait for longer than the stack's calls do.
        timeout_s = exchange.read_timeout_s
        longest_s = _LONGEST_S if timeout_s is None else int(timeout_s) + 1
        repeats = replace(repeats, call_timeout_s=max(repeats.call_timeout_s, longest_s))
    return replace(setup.invoker, functions=_Sender(exchange), repeats=repeats).run(request)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Invokes a target by the one exchange that there is."""

    exchange: Exchange

    def invoke(
        self,
        target: Target,  # noqa: ARG002 - the exchange knows it
        payload: bytes,  # noqa: ARG002
        client_context: str | None,  # noqa: ARG002
        trace: str | None = None,  # noqa: ARG002
    ) -> Reply:
        """Send, and say how it ended."""
        self.exchange.send()
        return _reply(self.exchange)


def _said(exchange: Exchange) -> Said:
    """Return what the caller says of its call; its headers for us are not sent on."""
    headers = exchange.params["headers"]
    names = {name.lower(): name for name in list(headers)}
    found = {
        what: headers.pop(names[header.lower()])
        for what, header in HEADERS.items()
        if header.lower() in names
    }
    return read_said(found, headers.get(_CONTEXT))


def _target(exchange: Exchange, setup: CaptureSetup) -> Target | None:
    """Return the call's target, if it is one of the stack's."""
    params = exchange.params
    match = _PATH.fullmatch(params["url_path"])
    if match is None:
        return None
    found = set()
    # A bare name is completed by the stack's list, and is a function of the client's region. Of which account
    # nobody knows, where several are listed.
    for entry in setup.settings.targets:
        with suppress(BadRequestError):
            target = resolve_target(
                unquote(match[1]),
                (entry,),
                qualifier=params["query_string"].get("Qualifier"),
                tenant_id=params["headers"].get("X-Amz-Tenant-Id"),
            )
            if target.function.split(":")[3] == exchange.region:
                found.add(target)
    return found.pop() if len(found) == 1 else None


def _outcome(own: Parsed | Exception) -> Outcome:
    if isinstance(own, Exception):
        return outcome_of(own)
    parsed: Any = own[1]
    return outcome_of(ClientError(parsed, "Invoke"))


def _reply(exchange: Exchange) -> Reply:
    own = exchange.own
    if exchange.is_stopped:
        # Whoever stopped it wants it neither made nor kept.
        return Reply(outcome=Outcome(kind=OutcomeKind.PERMANENT, code=type(own).__name__))
    if own is None or isinstance(own, Exception) or own[0].status_code >= ERROR_FROM:
        return Reply(outcome=_outcome(own or RuntimeError("nothing was sent")))
    parsed = own[1]
    outcome = classify_reply(
        own[0].status_code,
        parsed.get("FunctionError"),
        exchange.reply_body,
        parsed.get("ResponseMetadata", {}).get("RequestId"),
    )
    return Reply(
        outcome=outcome,
        payload=exchange.reply_body,
        executed_version=parsed.get("ExecutedVersion"),
    )


def _without(exchange: Exchange, why: str) -> Parsed:
    """Return the SDK's own answer to a call that cannot be captured, which says so if it should have been."""
    if exchange.own is None:
        _log.warning("key of a call is not protected: %s", why)
        exchange.send()
    if not _is_kind_of_ours(exchange):
        return exchange.given()
    _log.error("call was not captured: %s", why)
    return _marked(exchange, why)


def _unlisted(exchange: Exchange, setup: CaptureSetup) -> Parsed:
    """Return the SDK's own answer of a target that is none of the stack's."""
    if exchange.own is None:
        exchange.send()
    if _is_kind_of_ours(exchange):
        setup.meter.count(metric.UNLISTED_TARGETS)
        setup.flush()
        match = _PATH.fullmatch(exchange.params["url_path"])
        _warn_of_unlisted(unquote(match[1]) if match else "", exchange.region)
    return exchange.given()


@lru_cache(maxsize=1000)  # Once a function: it may be left out on purpose.
def _warn_of_unlisted(name: str, region: str | None) -> None:
    _log.warning("calls of %s in %s are not kept: it is none of the stack's Targets", name, region)


def _is_kind_of_ours(exchange: Exchange) -> bool:
    """Tell whether a call ended in what is captured unless somebody says otherwise."""
    return _reply(exchange).outcome.kind in ANSWERING_DOORS_CAPTURE


def _told(exchange: Exchange, setup: CaptureSetup, made: Answer) -> Parsed:
    if made.captured is not None:
        return _kept(exchange, setup, made.captured, made.reply.outcome)
    if made.late is not None:
        headers = {ID_HEADER: made.late.call_id, LATE_HEADER: "true"}
        return answer_of(exchange, 200, {}, headers=headers, body=made.reply.payload)
    if made.not_captured is None:
        return exchange.given()
    if exchange.own is not None:
        return _marked(exchange, made.not_captured)
    # Nothing was sent, as another call of this key is under way or waits; there is no answer of the target's.
    if made.refused is not None:
        return _refused(exchange, made.refused.status, "IdempotencyConflict", str(made.refused))
    outcome = made.reply.outcome
    return _refused(
        exchange, status_of(outcome), str(outcome.code), f"{outcome.message}: {made.not_captured}"
    )


def _kept(exchange: Exchange, setup: CaptureSetup, captured: Captured, outcome: Outcome) -> Parsed:
    headers = {ID_HEADER: captured.call_id, TOKEN_HEADER: captured.status_token}
    if setup.on_capture is OnCapture.EXCEPTION:
        error = {"Code": EXCEPTION, "Message": kept_message(outcome, captured.call_id)}
        return answer_of(exchange, 424, {"Error": error, "Type": "User"}, headers=headers)
    body = write_kept(captured, outcome, setup.settings.status_url)
    is_plain = setup.on_capture is OnCapture.ACCEPTED
    parsed = {} if is_plain else {"FunctionError": FUNCTION_ERROR}
    return answer_of(exchange, 202, parsed, headers=headers, body=body)


def _refused(exchange: Exchange, status: int, code: str, message: str) -> Parsed:
    error = {"Code": code, "Message": message}
    headers = {NOT_CAPTURED_HEADER: shorten(message)}
    return answer_of(exchange, status, {"Error": error}, headers=headers)


def _marked(exchange: Exchange, why: str) -> Parsed:
    """Return the SDK's own answer, and beside it why the call is not captured."""
    own, text = exchange.own, shorten(why)
    if isinstance(own, tuple):
        own[1].setdefault("ResponseMetadata", {}).setdefault("HTTPHeaders", {})[
            NOT_CAPTURED_HEADER
        ] = text
    elif own is not None:
        own.add_note(f"{NOT_CAPTURED_HEADER}: {text}")
    return exchange.given()
