"""Serve the page on 127.0.0.1, to who has the address that was printed.

Other users of this machine reach the port, too, and any web page can have a browser ask it: what is read
by asking takes a token, and what another page asks is refused. The token is behind the `#` of the address,
which browsers send to nobody; the page's own script sends it along. A cookie would go to every port of this
machine.

The standard library's server is enough for one reader and five addresses, and adds no dependency to a
command that people install. Nothing that it serves changes anything.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl, unquote

from reprise_cli.exits import CommandError, NotFoundError, UsageError, explain

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ASSETS: Final = {
    "/": ("index.html", "text/html"),
    "/calls/": ("call.html", "text/html"),
    "/assets/page.css": ("page.css", "text/css"),
    "/assets/api.js": ("api.js", "text/javascript"),
    "/assets/page.js": ("page.js", "text/javascript"),
    "/assets/call.js": ("call.js", "text/javascript"),
    "/assets/chart.js": ("chart.js", "text/javascript"),
    "/assets/format.js": ("format.js", "text/javascript"),
    "/assets/theme.js": ("theme.js", "text/javascript"),
    "/assets/widgets.js": ("widgets.js", "text/javascript"),
    "/assets/icon.svg": ("icon.svg", "image/svg+xml"),
    "/assets/uplot.js": ("vendor/uPlot.iife.min.js", "text/javascript"),
    "/assets/uplot.css": ("vendor/uPlot.min.css", "text/css"),
}
"""Every file that is served, by its address: nothing is looked up by name."""
ABOUT: Final = "/api/about"
"""Tells which process serves."""
TOKEN_VARIABLE: Final = "REPRISE_DASHBOARD_TOKEN"  # noqa: S105 - a name
"""Holds the token, where who starts the page has to know it; otherwise it is made at random."""
_OWN_SITES: Final = frozenset({"none", "same-origin"})
_API: Final = "/api/"
_CALLS: Final = "/calls/"
_API_CALLS: Final = "/api/calls/"


class Pages(Protocol):
    """Has what the page shows."""

    def dashboard(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Return the drawn dashboard.

        Raises:
            CommandError: If it cannot be drawn.
        """

    def call(self, call_id: str) -> dict[str, Any]:
        """Return a call's story.

        Raises:
            CommandError: If it is not known.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAnswer:
    """What a request gets."""

    status: HTTPStatus
    kind: str
    body: bytes


class Headers(Protocol):
    """Has a request's headers."""

    def get(self, name: str, default: str) -> str:
        """Return the first of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAccess:
    """Where the page is, and what opens it."""

    port: int
    token: str = field(repr=False)

    def address(self, query: str = "") -> str:
        """Return the page's address with its token; it is for the reader only."""
        return f"http://{HOST}:{self.port}/{query and f'?{query}'}#token={self.token}"


def answer(pages: Pages, headers: Headers, target: str, door: PageAccess) -> PageAnswer:
    """Return the answer to a GET request.

    Args:
        pages: What can be shown.
        headers: The request's. Another Host than this machine's own means that some site's name was
            pointed at this server, to read it with a reader's browser.
        target: The request's target, such as `/calls/ID?x=y`.
        door: Where this is served, and the token.
    """
    path, _, query = target.partition("?")
    if refusal := _refuse(headers, path, door):
        return refusal
    name = _CALLS if path.startswith(_CALLS) else path
    if name in _ASSETS:
        return _asset(*_ASSETS[name])
    try:
        document = _document(pages, path, query)
    except Exception as error:  # noqa: BLE001 - one request must not end the server
        told = explain(error)
        if told is None:
            _log.exception("a request could not be answered")
            what, next_step = "an error of ours", "The command's own output has it"
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "page", what, next_step)
        return _error(_status_of(told), told.field, told.message, told.next_step)
    if document is None:
        return _error(HTTPStatus.NOT_FOUND, "path", f"there is no {path!r}", "Go to /")
    return _json(HTTPStatus.OK, document)


def _status_of(error: CommandError) -> HTTPStatus:
    if isinstance(error, UsageError):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.NOT_FOUND if isinstance(error, NotFoundError) else HTTPStatus.BAD_GATEWAY


def _refuse(headers: Headers, path: str, door: PageAccess) -> PageAnswer | None:
    host = headers.get("Host", "")
    if host not in {f"{HOST}:{door.port}", f"localhost:{door.port}"}:
        return _error(HTTPStatus.MISDIRECTED_REQUEST, "Host", f"{host!r} is not served here", "")
    for name, own in (("Origin", {f"http://{host}"}), ("Sec-Fetch-Site", _OWN_SITES)):
        if (value := headers.get(name, "")) and value not in own:
            message = f"{value!r} is another page's"
            return _error(HTTPStatus.FORBIDDEN, name, message, "Open it by its address")
    wanted, given = f"Bearer {door.token}", headers.get("Authorization", "")
    if path.startswith(_API) and not hmac.compare_digest(given.encode(), wanted.encode()):
        message = "there is no token, or that of an earlier start"
        next_step = "Open the whole address that the command printed"
        return _error(HTTPStatus.FORBIDDEN, "Authorization", message, next_step)
    return None


def _document(pages: Pages, path: str, query: str) -> dict[str, Any] | None:
    if path == ABOUT:
        return {"pid": os.getpid()}
    if path == "/api/dashboard":
        return pages.dashboard(dict(parse_qsl(query)))
    if path.startswith(_API_CALLS):
        return pages.call(unquote(path.removeprefix(_API_CALLS)))
    return None


def make_server(pages: Pages, token: str, port: int = 0) -> tuple[ThreadingHTTPServer, PageAccess]:
    """Return a server that listens already, and where (port 0: a free one); `serve_forever` serves.

    Raises:
        CommandError: If the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            given = answer(pages, self.headers, self.path, door)
            self.send_response(given.status)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Type", f"{given.kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            self.wfile.write(given.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            _log.debug(format, *args)

    try:
        server = ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise CommandError(
            "--port", f"{port} cannot be used: {error.strerror}", "Name another, or none"
        ) from error
    server.daemon_threads = True
    # The handler is called by `serve_forever` only.
    door = PageAccess(port=server.server_address[1], token=token)
    return server, door


def _asset(name: str, kind: str) -> PageAnswer:
    body = files("reprise_cli.dashboard").joinpath("assets", *name.split("/")).read_bytes()
    return PageAnswer(status=HTTPStatus.OK, kind=kind, body=body)


def _json(status: HTTPStatus, document: dict[str, Any]) -> PageAnswer:
    return PageAnswer(status=status, kind="application/json", body=json.dumps(document).encode())


def _error(status: HTTPStatus, field: str, message: str, next_step: str) -> PageAnswer:
    return _json(status, {"error": {"field": field, "message": message, "next_step": next_step}})
