"""Serve the page on 127.0.0.1, to who has the address that was printed.

The standard library's server is enough for a few readers, and adds no dependency to a command that people
install.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from reprise_cli.exits import CommandError, NotFoundError, UsageError, explain
from reprise_cli.page.access import HOST, PageAccess, PageRequest, refuse
from reprise_cli.page.routes import FILES, ID, ROUTES, find

if TYPE_CHECKING:
    from reprise_cli.page.routes import Asked, Route, Views

_log = logging.getLogger(__name__)

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TOKEN_VARIABLE: Final = "REPRISE_DASHBOARD_TOKEN"  # noqa: S105 - a name
"""Holds the token, where who starts the page has to know it; otherwise it is made at random."""
MAX_BODY_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAnswer:
    """What a request gets."""

    status: HTTPStatus
    kind: str
    body: bytes


def answer(views: Views, request: PageRequest, door: PageAccess) -> PageAnswer:
    """Return the answer to a request.

    Args:
        views: What can be shown and done.
        request: What is asked.
        door: Where this is served, and the tokens.
    """
    route, rest = find(ROUTES, request.path)
    if refusal := refuse(request, route, door):
        return _error(refusal.status, refusal.field, refusal.message, refusal.next_step)
    if route is None:
        file, _ = find(FILES, request.path)
        return _not_found(request.path) if file is None else _asset(*file)
    try:
        return _json(HTTPStatus.OK, views[route.view](_asked(request, route, rest)))
    except Exception as error:  # noqa: BLE001 - one request must not end the server
        told = explain(error)
        if told is None:
            _log.exception("a request could not be answered")
            what, next_step = "an error of ours", "The command's own output has it"
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "page", what, next_step)
        return _error(_status_of(told), told.field, told.message, told.next_step)


def _asked(request: PageRequest, route: Route, rest: str) -> Asked:
    if not route.acts:
        return {**dict(parse_qsl(request.target.partition("?")[2])), ID: rest}
    try:
        body: object = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise UsageError("body", f"is no JSON: {error}", "Use the page itself") from error
    if not isinstance(body, dict):
        raise UsageError("body", "is no JSON object", "Use the page itself")
    return body


def _status_of(error: CommandError) -> HTTPStatus:
    if isinstance(error, UsageError):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.NOT_FOUND if isinstance(error, NotFoundError) else HTTPStatus.BAD_GATEWAY


def make_server(
    views: Views, token: str, port: int = 0, operate: str | None = None
) -> tuple[ThreadingHTTPServer, PageAccess]:
    """Return a server that listens already, and where (port 0: a free one); `serve_forever` serves.

    Raises:
        CommandError: If the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY_BYTES:
                # What is not read would be taken for the next request.
                self.close_connection = True
                message = f"needs a length of at most {MAX_BODY_BYTES}"
                self._send(_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body", message, ""))
                return
            self._answer(self.rfile.read(int(length)))

        def _answer(self, body: bytes) -> None:
            request = PageRequest(
                method=self.command, target=self.path, headers=self.headers, body=body
            )
            self._send(answer(views, request, door))

        def _send(self, given: PageAnswer) -> None:
            self.send_response(given.status)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Type", f"{given.kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(given.body)))
            try:
                self.end_headers()
                self.wfile.write(given.body)
            except ConnectionError:
                # Whoever asked has gone on to another page.
                self.close_connection = True

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
    door = PageAccess(port=server.server_address[1], token=token, operate=operate)
    return server, door


def _asset(name: str, kind: str) -> PageAnswer:
    body = files("reprise_cli.page").joinpath("assets", *name.split("/")).read_bytes()
    return PageAnswer(status=HTTPStatus.OK, kind=kind, body=body)


def _json(status: HTTPStatus, document: dict[str, Any]) -> PageAnswer:
    return PageAnswer(status=status, kind="application/json", body=json.dumps(document).encode())


def _not_found(path: str) -> PageAnswer:
    return _error(HTTPStatus.NOT_FOUND, "path", f"there is no {path!r}", "Go to /")


def _error(status: HTTPStatus, field: str, message: str, next_step: str) -> PageAnswer:
    return _json(status, {"error": {"field": field, "message": message, "next_step": next_step}})
