"""Serve the page on 127.0.0.1, to this machine's browsers only.

The standard library's server is enough for one reader and five addresses, and adds no dependency to a
command that people install. Nothing that it serves changes anything.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl, unquote

from reprise_cli.exits import CommandError, explain

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
class Answer:
    """What a request gets."""

    status: HTTPStatus
    kind: str
    body: bytes


def answer(pages: Pages, host: str, target: str, port: int) -> Answer:
    """Return the answer to a GET request.

    Args:
        pages: What can be shown.
        host: The request's Host header. Another name than this machine's own means that some site's name
            was pointed at this server, to read it with a reader's browser.
        target: The request's target, such as `/calls/ID?x=y`.
        port: The server's own.
    """
    if host not in {f"{HOST}:{port}", f"localhost:{port}"}:
        return _error(HTTPStatus.MISDIRECTED_REQUEST, "Host", f"{host!r} is not served here", "")
    path, _, query = target.partition("?")
    name = _CALLS if path.startswith(_CALLS) else path
    if name in _ASSETS:
        return _asset(*_ASSETS[name])
    try:
        document = _document(pages, path, query)
    except Exception as error:  # noqa: BLE001 - one request must not end the server
        told = explain(error)
        if told is None:
            _log.exception("a request could not be answered")
            told = CommandError("page", "an error of ours", "The command's own output has it")
        return _error(HTTPStatus.BAD_GATEWAY, told.field, told.message, told.next_step)
    if document is None:
        return _error(HTTPStatus.NOT_FOUND, "path", f"there is no {path!r}", "Go to /")
    return _json(HTTPStatus.OK, document)


def _document(pages: Pages, path: str, query: str) -> dict[str, Any] | None:
    if path == ABOUT:
        return {"pid": os.getpid()}
    if path == "/api/dashboard":
        return pages.dashboard(dict(parse_qsl(query)))
    if path.startswith(_API_CALLS):
        return pages.call(unquote(path.removeprefix(_API_CALLS)))
    return None


def make_server(pages: Pages, port: int = 0) -> ThreadingHTTPServer:
    """Return a server that listens already; `serve_forever` serves.

    Args:
        pages: What it shows.
        port: 0 takes a free one.

    Raises:
        CommandError: If the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            own_port = self.connection.getsockname()[1]
            given = answer(pages, self.headers.get("Host", ""), self.path, own_port)
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
    return server


def _asset(name: str, kind: str) -> Answer:
    body = files("reprise_cli.dashboard").joinpath("assets", *name.split("/")).read_bytes()
    return Answer(status=HTTPStatus.OK, kind=kind, body=body)


def _json(status: HTTPStatus, document: dict[str, Any]) -> Answer:
    return Answer(status=status, kind="application/json", body=json.dumps(document).encode())


def _error(status: HTTPStatus, field: str, message: str, next_step: str) -> Answer:
    return _json(status, {"error": {"field": field, "message": message, "next_step": next_step}})
