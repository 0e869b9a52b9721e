"""One synchronous invocation as the SDK makes it: its request, its sends, and what it would give the caller.

Every call passes through here, also one that succeeds: so nothing of the kernel is loaded for it.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError
from botocore.response import StreamingBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

type Parsed = tuple[Any, dict[str, Any]]
"""What botocore's endpoint gives: the HTTP response, and what was parsed of it."""

ERROR_FROM: Final = 300
"""Lowest status that botocore raises for."""


class EndedError(Exception):
    """Ends botocore's sends of a call; nobody but `Exchange` sees it."""


def is_synchronous(params: dict[str, Any]) -> bool:
    """Tell whether a request of Invoke's asks for its answer, and a replay could ask the same.

    An execution of a durable function has a name of its own, which no replay could carry.
    """
    headers = params["headers"]
    kind = headers.get("X-Amz-Invocation-Type") or "RequestResponse"
    return kind == "RequestResponse" and "X-Amz-Durable-Execution-Name" not in headers


class Exchange:
    """One call; made, used and left within one call of the SDK's."""

    __slots__ = ("_client", "_model", "body", "is_under_way", "own", "params", "reply_body")

    def __init__(self, client: Any, model: Any, params: dict[str, Any]) -> None:  # noqa: ANN401 - botocore's
        """Take a request as botocore is about to send it."""
        self._client = client
        self._model = model
        self.params = params
        self.body = _bytes_of(params)
        """The payload, as it is sent."""
        self.own: Parsed | Exception | None = None
        """What the SDK would give: an answer, or an error to raise; None before anything was sent."""
        self.reply_body = b""
        """What the target answered."""
        self.is_under_way = False
        """Whether a send is made, and its end is not known."""

    @property
    def read_timeout_s(self) -> float | None:
        """Return how long the client waits for an answer; None if for ever."""
        timeout_s: float | None = self._client.meta.config.read_timeout
        return timeout_s

    @property
    def region(self) -> str:
        """Return the client's region."""
        return str(self._client.meta.region_name)

    @property
    def has_succeeded(self) -> bool:
        """Tell whether the target ran and returned."""
        return (
            isinstance(self.own, tuple)
            and self.own[0].status_code < ERROR_FROM
            and self.own[1].get("FunctionError") is None
        )

    def send(self) -> None:
        """Let the SDK send, again by its own rules unless somebody ends that; never raise for how it ends."""
        try:
            http, parsed = self._client._endpoint.make_request(self._model, self.params)  # noqa: SLF001 - no other way
            self.own = http, parsed
            if http.status_code < ERROR_FROM:
                # Read now: an answer that breaks off is none.
                self.reply_body = parsed["Payload"].read()
                parsed["Payload"] = stream_of(self.reply_body)
        except EndedError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the caller's, as without us
            self.own = error

    @property
    def is_stopped(self) -> bool:
        """Tell whether a handler of the caller's own ended the call, before anything of a send went."""
        is_theirs = isinstance(self.own, Exception) and not isinstance(self.own, BotoCoreError)
        return is_theirs and not self.is_under_way

    def given(self) -> Parsed:
        """Return the SDK's own answer, to be raised by it if it is an error.

        Raises:
            Exception: The SDK's own error, where there is no answer.
        """
        if isinstance(self.own, Exception):
            # As botocore's client does where it sends by itself.
            self._client.meta.events.emit(
                f"after-call-error.lambda.{self._model.name}",
                exception=self.own,
                context=self.params["context"],
            )
            raise self.own
        if self.own is None:
            msg = "nothing was sent"
            raise RuntimeError(msg)
        return self.own


def answer_of(
    exchange: Exchange,
    status: int,
    parsed: dict[str, Any],
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Parsed:
    """Return an answer of ours as botocore's endpoint gives one.

    Args:
        exchange: The call that is answered.
        status: botocore raises an error of its own making from `ERROR_FROM` on.
        parsed: What boto3 gives its caller, or the error's.
        headers: Of ours.
        body: The payload, where there is one.
    """
    retries = exchange.params["context"].get("retries", {})
    metadata: dict[str, Any] = {
        "HTTPStatusCode": status,
        "HTTPHeaders": dict(headers or {}),
        "RetryAttempts": max(retries.get("attempt", 1) - 1, 0),
    }
    own = exchange.own
    request_id = (
        own[1].get("ResponseMetadata", {}).get("RequestId") if isinstance(own, tuple) else None
    )
    if request_id is not None:
        metadata["RequestId"] = request_id
    whole = {**parsed, "ResponseMetadata": metadata}
    if body is not None:
        whole |= {"StatusCode": status, "Payload": stream_of(body)}
    make: Any = AWSResponse
    raw = Raw(body or b"")
    return make(exchange.params.get("url", ""), status, dict(headers or {}), raw), whole


class Raw(BytesIO):
    """A body as urllib3 gives it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """Yield all of it."""
        yield self.read()


def stream_of(body: bytes) -> StreamingBody:
    """Return bytes as botocore gives payloads."""
    return StreamingBody(BytesIO(body), len(body))


def _bytes_of(params: dict[str, Any]) -> bytes:
    body = params["body"]
    if hasattr(body, "read"):
        # It can be read once, and what is captured must be what was sent.
        body = params["body"] = body.read()
    return body.encode() if isinstance(body, str) else bytes(body or b"")
