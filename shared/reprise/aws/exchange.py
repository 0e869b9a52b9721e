"""Sign requests, send each once and read refusals, for `reprise.aws.thin`.

Sources: IAM user guide, "Create a signed AWS API request"; Smithy, "AWS JSON 1.0 protocol" and "AWS query
compatible trait".
"""

from __future__ import annotations

import hmac
import socket
import ssl
import time
import weakref
from contextlib import ExitStack, suppress
from functools import cache, lru_cache
from hashlib import sha256
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, IncompleteRead, LineTooLong, responses
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, cast
from urllib.parse import quote, urlsplit

import msgspec
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import create_urllib3_context, get_cert_path
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError as NoConnectionInTime
from urllib3.exceptions import NewConnectionError
from urllib3.util.ssl_match_hostname import CertificateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.credentials import ReadOnlyCredentials

_UNSIGNED: Final = frozenset({"user-agent", "x-amzn-trace-id"})
"""As in botocore's signer: they may change under way."""
_MAX_LINE_BYTES: Final = 65_536
_MAX_HEADERS: Final = 100
"""Both as `http.client` has them."""
_MAX_IDLE_S: Final = 30
"""Half of what the SDK for Java keeps one by default (60 s). A frozen function hears of no end,
and a call on a connection that the other side has forgotten ends in an unknown outcome."""
_CODE_DIGITS: Final = 3
_MAX_BYTES: Final = 256 * 1024 * 1024
"""More than any answer to what is called here has; memory for it is asked for before it has come."""
_TOO_MANY: Final = "an answer has too many headers"
_NO_HEADER: Final = "an answer has a line among its headers that is none, or is folded"
_NO_END: Final = "a chunk of an answer is not as long as it says"
_LINE: Final = "line of an answer"


@lru_cache(maxsize=64)
def _parts(url: str) -> tuple[str, str, str]:
    """Return a URL's host as it is sent, and its path and query as they are signed."""
    found = urlsplit(url)
    host = found.hostname or ""
    host = f"[{host}]" if ":" in host else host
    if found.port not in {None, {"http": 80, "https": 443}.get(found.scheme)}:
        host = f"{host}:{found.port}"
    return host, quote(found.path or "/", safe="/~"), "&".join(sorted(found.query.split("&")))


@lru_cache(maxsize=8)
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class SignedRequest(AWSPreparedRequest):
    """A request as botocore's listeners know it, with plain headers."""

    headers: Any
    body: Any

    def __init__(
        self, method: str, url: str, headers: dict[str, str], body: bytes, context: dict[str, Any]
    ) -> None:
        """Begin without a signature."""
        super().__init__(method, url, cast("Any", headers), body, False)  # noqa: FBT003 - no stream
        self.context = context


def sign(
    request: SignedRequest,
    credentials: ReadOnlyCredentials,
    scope: tuple[str, str],
    stamp: str,
) -> None:
    """Add the headers of Signature Version 4, byte for byte botocore's own.

    Args:
        request: With an encoded URL, text for headers and bytes for a body.
        credentials: Frozen ones.
        scope: Region and service.
        stamp: The time as `X-Amz-Date` has it.
    """
    headers = request.headers
    headers["X-Amz-Date"] = stamp
    if credentials.token:
        headers["X-Amz-Security-Token"] = credentials.token
    host, path, query = _parts(request.url)
    signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    signed["host"] = host
    names = sorted(signed.keys() - _UNSIGNED)
    listed = ";".join(names)
    lines = [f"{name}:{signed[name]}" for name in names]
    digest = sha256(request.body).hexdigest()
    asked = "\n".join([request.method, path, query, *lines, "", listed, digest])
    where = f"{stamp[:8]}/{scope[0]}/{scope[1]}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{where}\n{sha256(asked.encode()).hexdigest()}"
    key = _key(credentials.secret_key, stamp[:8], *scope)
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{where}, "
        f"SignedHeaders={listed}, Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"
    )


class HttpReply(NamedTuple):
    """What came back, with botocore's names for it."""

    status_code: int
    headers: Mapping[str, str]
    """By names in small letters."""
    content: bytes


def refusal(answer: HttpReply, *, is_rest: bool) -> dict[str, Any]:
    """Read an error as botocore's parsers do, with all fields of its body."""
    status, headers, text = answer.status_code, answer.headers, answer.content.strip()
    fields: dict[str, Any] = {}
    code: object = None
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and (not text or text.startswith(b"<html>")):
        # A proxy's, or a load balancer's.
        fields["message"] = responses.get(status, "")
    else:
        try:
            decoded = msgspec.json.decode(text or b"{}")
            fields = decoded if isinstance(decoded, dict) else {}
        except (msgspec.DecodeError, ValueError):
            fields["message"] = text.decode(errors="replace")
        code = fields.pop("__type", None)
        if is_rest:
            named = fields.get("code", fields.get("Code", code))
            code = headers.get("x-amzn-errortype", named)
    code = str(code or status).split(":", 1)[0].rpartition("#")[2]
    error = {"Message": fields.get("message", fields.get("Message", "")), "Code": code}
    query, _, fault = headers.get("x-amzn-query-error", "").partition(";")
    if query and fault:
        error |= {"Code": query, "QueryErrorCode": code, "Type": fault}
    if code == "TooManyRequestsException" and "retry-after" in headers:
        fields["retryAfterSeconds"] = headers["retry-after"]
    return {**fields, "Error": error}


@cache
def _tls(bundle: str | None) -> ssl.SSLContext:
    """Return one context for all connections: to read the certificates takes longer than a request."""
    context: ssl.SSLContext = create_urllib3_context()
    context.load_verify_locations(get_cert_path(cast("Any", bundle or True)))
    return context


class Connections:
    """Connections to one address: urllib3 makes them, and each request is written once."""

    def __init__(self, url: str, config: Any, bundle: str | None) -> None:  # noqa: ANN401 - its stubs name no setting
        """Take botocore's settings, and certificates of this file if it is not botocore's own."""
        self._url, self._config, self._bundle = url, config, bundle
        self._idle: list[tuple[HTTPConnection, float]] = []
        self.now_s = time.time
        """The time of day: a monotonic clock may stand still while a function is frozen."""
        self.socket_options: list[tuple[int, int, int]] = [
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ]
        """Of every new connection."""
        if config.tcp_keepalive:
            self.socket_options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
        weakref.finalize(self, _close, self._idle)

    def send(self, request: SignedRequest) -> HttpReply:
        """Send a request, and return the whole answer.

        Raises:
            HTTPClientError: As botocore's HTTP session; an answer that is cut is a closed connection.
        """
        message = _message(request)
        connection = self._connection()
        try:
            with suppress(BrokenPipeError):  # Who refuses a request early may have answered.
                connection.sock.sendall(message)
            with connection.sock.makefile("rb") as stream:
                answer, may_stay = read_answer(stream)
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=request.url, error=error) from error
        if may_stay and len(self._idle) < self._config.max_pool_connections:
            self._idle.append((connection, self.now_s()))
        else:
            connection.close()
        return answer

    def _connection(self) -> HTTPConnection:
        with suppress(IndexError):
            while True:
                connection, since_s = self._idle.pop()
                if 0 <= self.now_s() - since_s <= _MAX_IDLE_S and connection.is_connected:
                    return connection
                connection.close()
        return self._connect()

    def _connect(self) -> HTTPConnection:
        found = urlsplit(self._url)
        options: dict[str, Any] = {
            "host": found.hostname,
            "port": found.port,
            "timeout": self._config.connect_timeout,
            "socket_options": self.socket_options,
        }
        with ExitStack() as unless_connected:
            try:
                connection = HTTPConnection(**options)
                if found.scheme == "https":
                    connection = HTTPSConnection(**options, ssl_context=_tls(self._bundle))
                unless_connected.callback(connection.close)
                connection.connect()
            except (ssl.SSLError, CertificateError) as error:
                raise SSLError(endpoint_url=self._url, error=error) from error
            except NewConnectionError as error:
                raise EndpointConnectionError(endpoint_url=self._url, error=error) from error
            except (NoConnectionInTime, TimeoutError) as error:
                raise ConnectTimeoutError(endpoint_url=self._url, error=error) from error
            except OSError as error:
                raise EndpointConnectionError(endpoint_url=self._url, error=error) from error
            unless_connected.pop_all()
        connection.sock.settimeout(self._config.read_timeout)
        return connection


def read_answer(stream: IO[bytes]) -> tuple[HttpReply, bool]:
    """Read one answer to a request that is no `HEAD`; tell whether the connection may serve another.

    `http.client` reads headers with the parser of mail, which takes a tenth of what a replay takes. It is
    milder, too: whatever leaves a doubt where an answer ends is an error here.

    Raises:
        HTTPException: If it is no answer, or is cut.
        ValueError: If a length is no number, or no length of an answer's.

    Source: RFC 9112, sections 4, 5, 6, 7.1 and 9.3.
    """
    status = HTTPStatus.CONTINUE.value
    while status < HTTPStatus.OK:
        version, _, rest = _line(stream).partition(b" ")
        if not version.startswith(b"HTTP/1."):
            raise BadStatusLine(version.decode("latin-1"))
        code = rest.partition(b" ")[0]
        if len(code) != _CODE_DIGITS or not code.isdigit():
            raise BadStatusLine(rest.decode("latin-1"))
        status = int(code)
        headers: dict[str, str] = {}
        while line := _line(stream):
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or name != name.strip():
                # Whoever reads over it may read over the length.
                raise HTTPException(_NO_HEADER)
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
            if len(headers) > _MAX_HEADERS:
                raise HTTPException(_TOO_MANY)
    options = headers.get("connection", "").lower()
    may_stay = "close" not in options and (version == b"HTTP/1.1" or "keep-alive" in options)
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return HttpReply(status, headers, b"".join(_chunks(stream))), may_stay
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return HttpReply(status, headers, b""), may_stay
    if "content-length" in headers:
        length = _number(headers["content-length"], 10)
        return HttpReply(status, headers, _exactly(stream, length)), may_stay
    return HttpReply(status, headers, stream.read()), False


def _line(stream: IO[bytes]) -> bytes:
    line = stream.readline(_MAX_LINE_BYTES + 1)
    if len(line) > _MAX_LINE_BYTES:
        raise LineTooLong(_LINE)
    if not line.endswith(b"\n"):
        raise IncompleteRead(line)
    return line.rstrip(b"\r\n")


def _number(digits: str | bytes, base: int) -> int:
    """Return a number without a sign or an underscore, which Python would take."""
    if not digits.isalnum():
        msg = f"a length of {digits!r}"
        raise ValueError(msg)
    return int(digits, base)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    if length > _MAX_BYTES:
        msg = f"an answer of {length} bytes"
        raise ValueError(msg)
    found = stream.read(length)
    if len(found) < length:
        raise IncompleteRead(found, length - len(found))
    return found


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while length := _number(_line(stream).partition(b";")[0].strip(), 16):
        yield _exactly(stream, length)
        if stream.read(2) != b"\r\n":
            raise HTTPException(_NO_END)
    while _line(stream):
        pass


def _message(request: SignedRequest) -> bytes:
    """Return a request in one piece: the system is asked once, and no part waits for another's receipt."""
    headers = {"Host": _parts(request.url)[0], "Accept-Encoding": "identity", **request.headers}
    if request.method != "GET":
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if any("\n" in line or "\r" in line for line in lines):
        raise HTTPClientError(error=ValueError("a header holds a line break"))
    target = request.url.split("/", 3)[3]
    head = "\r\n".join([f"{request.method} /{target} HTTP/1.1", *lines, "", ""])
    body: bytes = request.body
    return head.encode() + body


def _close(connections: list[tuple[HTTPConnection, float]]) -> None:
    for connection, _ in connections:
        connection.close()
