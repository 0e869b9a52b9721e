"""A double of the client, for a caller's own tests: it invokes nothing, and remembers every call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from reprise.call.outcome import Outcome, OutcomeKind
from reprise.call.request import check_call_id, check_timeout, library_call
from reprise.ledger import State
from reprise.ports import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise.client import CallResult, CallStatus

START_AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SUCCEEDED = Reply(outcome=Outcome(kind=OutcomeKind.SUCCEEDED, status=200), payload=b'{"ok":true}')
THROTTLED = Outcome(kind=OutcomeKind.THROTTLED, code="TooManyRequestsException", status=429)
_CALL_ID: Final = "0193a1b2-0000-7000-8000-000000000000"


class FakeClient:
    """Stands in for `reprise.Client` in a caller's tests: invokes nothing, remembers every call.

    Example:
        client = FakeClient(FakeClient.captured("orders:7"))
        place(order, client)
        assert client.invoked == [("orders", b'{"id": "7"}', {"idempotency_key": "7"})]
    """

    def __init__(self, *results: CallResult, statuses: Iterable[CallStatus] = ()) -> None:
        """Return these, one a call, and then what a target that succeeds answers.

        Args:
            results: See `answered`, `captured` and `refused`.
            statuses: What `result_of` and `wait` return, each for its own `call_id`; see `status`.

        Example:
            client = FakeClient(FakeClient.refused(), FakeClient.answered(b"sold"))
        """
        self._results = list(results)
        self._statuses = {status.call_id: status for status in statuses}
        self.invoked: list[tuple[str, bytes, dict[str, Any]]] = []
        """Function, payload and what else was said of each call, in order."""

    def invoke(  # noqa: PLR0913 - as `Client.invoke`
        self,
        function_name: str,
        payload: bytes | str = b"",
        *,
        qualifier: str | None = None,
        client_context: str | None = None,
        tenant_id: str | None = None,
        idempotency_key: str | None = None,
        scope: str | None = None,
        not_after: datetime | None = None,
        wait_s: float = 0.0,
        reply_to: dict[str, str | bool] | None = None,
    ) -> CallResult:
        """Return the next result; see `Client.invoke` for what may be said, and what is refused.

        Raises:
            BadRequestError: As the client does, but for a function that is not an allowed target: all are.

        Example:
            assert FakeClient().invoke("orders", "{}").status_code == 200
        """
        options: dict[str, Any] = {
            "qualifier": qualifier,
            "client_context": client_context,
            "tenant_id": tenant_id,
            "idempotency_key": idempotency_key,
            "scope": scope,
            "not_after": not_after,
            "wait_s": wait_s,
            "reply_to": reply_to,
        }
        request = library_call(function_name, payload, _any_target(function_name), **options)
        said = {name: value for name, value in options.items() if value not in (None, 0)}
        self.invoked.append((function_name, request.payload, said))
        return self._results.pop(0) if self._results else self.answered()

    def result_of(self, call_id: str, status_token: str | None = None) -> CallStatus | None:
        """Return the status that was handed in for a call; None for others, as before they are unpacked.

        Raises:
            BadRequestError: If the id is empty.

        Example:
            assert FakeClient().result_of("orders:7") is None
        """
        del status_token
        check_call_id(call_id)
        return self._statuses.get(call_id)

    def wait(
        self, call_id: str, status_token: str | None = None, *, timeout_s: float = 60.0
    ) -> CallStatus | None:
        """Return at once what `result_of` returns: time never goes by.

        Raises:
            BadRequestError: If the id is empty, or the timeout is no number of seconds.

        Example:
            assert FakeClient().wait("orders:7", timeout_s=5) is None
        """
        check_timeout("timeout_s", timeout_s)
        return self.result_of(call_id, status_token)

    @staticmethod
    def answered(payload: bytes = SUCCEEDED.payload) -> CallResult:
        """Return the result of a call that its target answered.

        Example:
            client = FakeClient(FakeClient.answered(b"sold"))
        """
        return _result(200, SUCCEEDED.outcome, payload=payload)

    @staticmethod
    def captured(call_id: str = _CALL_ID) -> CallResult:
        """Return the result of a call that was throttled, and will be replayed.

        Example:
            client = FakeClient(FakeClient.captured("orders:7"))
        """
        return _result(202, THROTTLED, call_id=call_id, status_token="token")  # noqa: S106 - opens nothing

    @staticmethod
    def refused(why: str = "CaptureFailed") -> CallResult:
        """Return the result of a call that was throttled, and could not be captured: it is lost to us.

        Example:
            client = FakeClient(FakeClient.refused())
        """
        return _result(429, THROTTLED, not_captured=why)

    @staticmethod
    def status(
        call_id: str = _CALL_ID,
        state: State = State.SUCCEEDED,
        *,
        payload: bytes | None = None,
        reason: str | None = None,
    ) -> CallStatus:
        """Return how a captured call stands, for `result_of`.

        Example:
            late = FakeClient.status("orders:7", payload=b"sold")
            client = FakeClient(FakeClient.captured("orders:7"), statuses=[late])
        """
        # Late: the client loads AWS.
        from reprise.client import CallStatus  # noqa: PLC0415

        return CallStatus(
            call_id=call_id,
            state=state,
            target="arn:aws:lambda:eu-west-1:111122223333:function:orders",
            attempts=0,
            payload=payload,
            reason=reason,
            message=None,
            captured_at=START_AT,
            updated_at=START_AT,
        )


def _any_target(function_name: object) -> tuple[str, ...]:
    """Return a list that allows every function, and completes this one's name."""
    account = str(function_name).partition(":")[0]
    account = account if account.isdigit() else "111122223333"
    return ("*", f"arn:aws:lambda:eu-west-1:{account}:function:*")


def _result(status_code: int, outcome: Outcome, **fields: object) -> CallResult:
    # Late: the client loads AWS.
    from reprise.client import CallResult  # noqa: PLC0415

    empty = dict.fromkeys(("function_error", "call_id", "status_token", "not_captured"))
    known: dict[str, Any] = {"payload": b"", **empty, **fields}
    return CallResult(status_code=status_code, outcome=outcome, **known)
