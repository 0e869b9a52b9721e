"""Find out, by calls that never leave the process, whether the installed botocore is as the plugin expects.

Its events and shapes are no promise to plugins: what changed is to be an error at the first client, and not
calls that nobody captures.
"""

from __future__ import annotations

import platform
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import botocore
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.hooks import EventAliaser, HierarchicalEmitter

from reprise.boto3_plugin.exchange import Exchange, Parsed, Raw, answer_of
from reprise.errors import SettingsError
from reprise.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

_PAYLOAD: Final = b'{"reprise": "self-check"}'
_REPLY: Final = b'"\xff reply"'
_THROTTLE: Final = "TooManyRequestsException"
_checked: set[str] = set()


class Probe:
    """Stands for what captures, while the plugin's handlers are tried."""

    def __init__(self, sent: AWSResponse | Exception) -> None:
        """Let the one send end so."""
        self.sends = 0
        self.ends: list[Parsed | Exception] = []
        self._sent = sent

    def send(self) -> AWSResponse:
        """Answer a request in the network's place."""
        self.sends += 1
        if isinstance(self._sent, Exception):
            raise self._sent
        return self._sent

    def is_captured(
        self, _exchange: Exchange, own: Parsed | Exception, _lazy_setup: object
    ) -> bool:
        """Take every end for one that is captured."""
        self.ends.append(own)
        return True

    def answer(self, exchange: Exchange, _lazy_setup: object) -> Parsed:
        """Return what a caller of the plugin gets."""
        retries = exchange.params["context"]["retries"]
        _check(bool(retries["invocation-id"]), "the SDK gives no invocation id")
        _check(retries["attempt"] == 1, f"attempt {retries['attempt']} is not the first")
        _check(exchange.body == _PAYLOAD, "the payload is not what was passed")
        _check(
            exchange.params["url_path"] == "/2015-03-31/functions/reprise-self-check/invocations",
            f"the path of Invoke is {exchange.params['url_path']}",
        )
        return answer_of(exchange, 202, {"FunctionError": "Captured"}, body=_REPLY)


PROBE: Final[ContextVar[Probe | None]] = ContextVar("reprise_probe", default=None)


def check_once(client: Any, register: Callable[[Any], None]) -> None:  # noqa: ANN401 - botocore's clients have no type
    """Try the plugin with the botocore of a client; one that was tried is not tried again.

    Args:
        client: Of Lambda; it and its handlers are left alone.
        register: Registers the plugin's handlers in a client.

    Raises:
        SettingsError: Naming versions, and what is not as expected.
    """
    if botocore.__version__ in _checked:
        return
    try:
        _try(_twin(client), register)
    except Exception as error:
        msg = (
            f"reprise {__version__}, boto3_plugin: botocore {botocore.__version__} with Python "
            f"{platform.python_version()} is not as expected: {error!r}. Nothing would be captured. Install "
            "another botocore, or remove the plugin (BOTOCORE_EXPERIMENTAL__PLUGINS, or `install`)"
        )
        raise SettingsError(msg) from error
    _checked.add(botocore.__version__)


def _twin(client: Any) -> Any:  # noqa: ANN401 - as above
    """Return a client like this one that nobody listens to, and that signs nothing.

    Handlers of others may do anything with what looks like a call: the AWS CLI's writes a file.
    """
    events = EventAliaser(HierarchicalEmitter())
    twin, meta, endpoint = (
        _shallow(each)
        for each in (client, client.meta, client._endpoint)  # noqa: SLF001 - as `Exchange`
    )
    meta.events = events
    endpoint._event_emitter = events  # noqa: SLF001 - as above
    twin.meta, twin._endpoint = meta, endpoint  # noqa: SLF001 - as above
    return twin


def _shallow(found: Any) -> Any:  # noqa: ANN401 - as above
    """Return a shallow copy; copy.copy asks attributes of clients that are not made yet."""
    made = object.__new__(type(found))
    made.__dict__.update(found.__dict__)
    return made


def _try(client: Any, register: Callable[[Any], None]) -> None:  # noqa: ANN401 - as above
    register(client)
    client.meta.events.register("before-send", _send)
    refused = Probe(
        _response(429, b'{"Reason":"R","message":"m"}', {"x-amzn-ErrorType": _THROTTLE})
    )
    _check_kept(client, refused)
    ((_, parsed),) = [end for end in refused.ends if isinstance(end, tuple)]
    found = (parsed["Error"]["Code"], parsed.get("Reason"))
    _check(found == (_THROTTLE, "R"), f"a refusal is parsed as {parsed}")
    silent = Probe(ReadTimeoutError(endpoint_url="self-check"))
    _check_kept(client, silent)
    _check(isinstance(silent.ends[0], ReadTimeoutError), f"a time-out is {silent.ends[0]!r}")
    succeeded = Probe(_response(200, _REPLY, {}))
    answer = _invoke(client, succeeded)
    _check(answer["Payload"].read() == _REPLY, "an answer is not what was sent")
    _check(not succeeded.ends, "a success is taken for a failure")


def _check_kept(client: Any, probe: Probe) -> None:  # noqa: ANN401 - as above
    found = _invoke(client, probe)
    _check(len(probe.ends) == 1, f"the end of a call is told {len(probe.ends)} times (needs-retry)")
    _check(probe.sends == 1, f"a call was sent {probe.sends} times (needs-retry)")
    status = (found.get("StatusCode"), found.get("FunctionError"))
    _check(status == (202, "Captured"), f"the caller gets {status} (before-call)")
    _check(found["Payload"].read() == _REPLY, "the caller gets another payload (before-call)")


def _invoke(client: Any, probe: Probe) -> dict[str, Any]:  # noqa: ANN401 - as above
    token = PROBE.set(probe)
    try:
        found: dict[str, Any] = client.invoke(FunctionName="reprise-self-check", Payload=_PAYLOAD)
    finally:
        PROBE.reset(token)
    return found


def _send(**_: object) -> AWSResponse | None:
    probe = PROBE.get()
    return None if probe is None else probe.send()


def _response(status: int, body: bytes, headers: dict[str, str]) -> AWSResponse:
    whole = {"content-length": str(len(body)), "x-amzn-requestid": "self-check", **headers}
    make: Any = AWSResponse
    made: AWSResponse = make("self-check", status, whole, Raw(body))
    return made


def _check(is_so: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not is_so:
        raise RuntimeError(otherwise)
