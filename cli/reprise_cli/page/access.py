"""Who may ask what: the tokens of the page's address, and the signs by which another page is known.

Other users of this machine reach the port, too, and any web page can have a browser ask it: what is read by
asking takes a token, what changes something takes a second one, and what another page asks is refused. The
tokens are behind the `#` of the address, which browsers send to nobody; the page's own script sends them
along. A cookie would go to every port of this machine.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise_cli.page.routes import Route

HOST: Final = "127.0.0.1"
API: Final = "/api/"
OPERATE_HEADER: Final = "Reprise-Operate"
"""Carries the token that lets a request change something."""
_OWN_SITES: Final = frozenset({"none", "same-origin"})
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAccess:
    """Where the page is, and what opens it."""

    port: int
    token: str = field(repr=False)
    """Lets read."""
    operate: str | None = field(default=None, repr=False)
    """Lets change something, beside the other; None: nobody may."""

    def address(self, query: str = "", *, operates: bool = False) -> str:
        """Return the page's address with its token, or both; it is for the reader only."""
        more = f"&operate={self.operate}" if operates else ""
        return f"http://{HOST}:{self.port}/{query and f'?{query}'}#token={self.token}{more}"


class Headers(Protocol):
    """Has a request's headers."""

    def get(self, name: str, default: str) -> str:
        """Return the first of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """What somebody asks."""

    method: str
    target: str
    """Such as `/calls/ID?x=y`."""
    headers: Headers
    """Another Host than this machine's own means that some site's name was pointed at this server, to read it
    with a reader's browser."""
    body: bytes = b""

    @property
    def path(self) -> str:
        """Return the target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not answered."""

    status: HTTPStatus
    field: str
    message: str
    next_step: str = ""


def refuse(request: PageRequest, route: Route | None, door: PageAccess) -> Refusal | None:
    """Return why a request is refused, if it is.

    Args:
        request: What is asked.
        route: What would answer; None for a file, and for what is not there.
        door: Where this is served, and the tokens.
    """
    return next(_refusals(request, route, door), None)


def _refusals(request: PageRequest, route: Route | None, door: PageAccess) -> Iterator[Refusal]:
    host = request.headers.get("Host", "")
    if host not in {f"{HOST}:{door.port}", f"localhost:{door.port}"}:
        status = HTTPStatus.MISDIRECTED_REQUEST
        yield Refusal(status=status, field="Host", message=f"{host!r} is not served here")
    for name, own in (("Origin", {f"http://{host}"}), ("Sec-Fetch-Site", _OWN_SITES)):
        if (value := request.headers.get(name, "")) and value not in own:
            yield _forbidden(name, f"{value!r} is another page's", "Open it by its address")
    if request.path.startswith(API):
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {door.token}".encode()):
            message = "there is no token, or that of an earlier start"
            next_step = "Open the whole address that the command printed"
            yield _forbidden("Authorization", message, next_step)
    wanted = "POST" if route is not None and route.acts else "GET"
    if request.method != wanted:
        status = HTTPStatus.METHOD_NOT_ALLOWED
        message = f"{request.method} is not how {request.path} is asked"
        yield Refusal(status=status, field="method", message=message)
    if route is not None and route.acts:
        yield from _refuse_act(request, host, door)


def _refuse_act(request: PageRequest, host: str, door: PageAccess) -> Iterator[Refusal]:
    """Refuse acts of others: a browser says by itself whose page asks, and no form sends JSON."""
    for name, own in (("Origin", f"http://{host}"), ("Sec-Fetch-Site", "same-origin")):
        if (value := request.headers.get(name, "")) != own:
            message = f"{value!r} is not this page" if value else "is missing"
            yield _forbidden(name, message, "Use the page itself")
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        message = f"{kind!r} is not {_JSON}"
        yield Refusal(status=status, field="Content-Type", message=message)
    given = request.headers.get(OPERATE_HEADER, "")
    if door.operate is None or not hmac.compare_digest(given.encode(), door.operate.encode()):
        message = "this page may only read, or the token is of an earlier start"
        next_step = "Start it with `reprise dashboard --operate`, and open the second address"
        yield _forbidden(OPERATE_HEADER, message, next_step)


def _forbidden(name: str, message: str, next_step: str) -> Refusal:
    return Refusal(status=HTTPStatus.FORBIDDEN, field=name, message=message, next_step=next_step)
