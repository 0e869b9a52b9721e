"""Make a call: invoke once, and capture it if it did not succeed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise import metric
from reprise.errors import RepriseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.call.request import CallRequest
    from reprise.outcome.outcome import OutcomeKind
    from reprise.ports import Functions, Meter, Reply
    from reprise.stage.capture import Capturer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the caller learns."""

    reply: Reply
    """The target's own reply, or how the invocation failed."""
    call_id: str | None = None
    """Set when the call was captured: it will be replayed."""
    not_captured: str | None = None
    """Set when the call should have been captured and was not: why."""

    @property
    def is_passed_through(self) -> bool:
        """Tell whether the target's own reply goes straight back."""
        return self.call_id is None and self.not_captured is None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStage:
    """Invokes targets for callers."""

    functions: Functions
    capturer: Callable[[], Capturer]
    """Made only when needed: the happy path pays for no key, no bucket, no clock."""
    capture_outcomes: frozenset[OutcomeKind]
    meter: Meter

    def run(self, request: CallRequest) -> Answer:
        """Invoke the target once; capture the call if it ended in an outcome worth a replay.

        A failing capture never hides the target's own error.
        """
        reply = self.functions.invoke(request.target, request.payload, request.client_context)
        if reply.outcome.kind not in self.capture_outcomes:
            return Answer(reply=reply)
        try:
            return Answer(reply=reply, call_id=self.capturer().capture(request, reply.outcome))
        except RepriseError as error:
            self.meter.count(metric.CAPTURE_FAILED, target=request.target.function)
            _log.exception("call was not captured", extra={"target": request.target.function})
            return Answer(reply=reply, not_captured=str(error))
