"""Every address of the page, asked over the wire by all who should get nothing."""

from __future__ import annotations

import http.client
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from reprise_cli.page.access import HOST, OPERATE_HEADER
from reprise_cli.page.routes import ROUTES
from reprise_cli.page.server import make_server
from unit.cli.page.views import FakeViews

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reprise_cli.page.access import PageAccess

READ, OPERATE = "of-this-start", "of-the-operator"
ELSEWHERE = "https://evil.example"
FORBIDDEN, WRONG_METHOD, MISDIRECTED, NO_METHOD = 403, 405, 421, 501

Served = tuple["PageAccess", FakeViews]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    views = FakeViews()
    server, door = make_server(views.views(), READ, operate=OPERATE)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield door, views
    server.shutdown()
    thread.join()
    server.server_close()


def own_headers(door: PageAccess) -> dict[str, str]:
    """Return what the page's own script sends."""
    own = f"{HOST}:{door.port}"
    return {
        "Host": own,
        "Authorization": f"Bearer {READ}",
        OPERATE_HEADER: OPERATE,
        "Origin": f"http://{own}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
    }


def ask(door: PageAccess, method: str, path: str, headers: Mapping[str, str]) -> int:
    """Return the status of one request with exactly these headers."""
    connection = http.client.HTTPConnection(HOST, door.port, timeout=5)
    try:
        body = b"{}" if method in {"POST", "PUT"} else b""
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        found = connection.getresponse()
        found.read()
        assert found.headers["Access-Control-Allow-Origin"] is None
        return found.status
    finally:
        connection.close()


#: Who asks: what differs from the page's own request (None: left out), and the status where it would read,
#: and where it would act. None: that much is enough to read.
OTHERS: dict[str, tuple[dict[str, str | None], int | None, int]] = {
    "no token": ({"Authorization": None, OPERATE_HEADER: None}, FORBIDDEN, FORBIDDEN),
    "no token to read": ({"Authorization": None}, FORBIDDEN, FORBIDDEN),
    "no token to operate": ({OPERATE_HEADER: None}, None, FORBIDDEN),
    "a wrong token": ({"Authorization": "Bearer guess"}, FORBIDDEN, FORBIDDEN),
    "the operators' token to read": ({"Authorization": f"Bearer {OPERATE}"}, FORBIDDEN, FORBIDDEN),
    "a wrong token to operate": ({OPERATE_HEADER: "guess"}, None, FORBIDDEN),
    "the readers' token to operate": ({OPERATE_HEADER: READ}, None, FORBIDDEN),
    "a foreign origin": ({"Origin": ELSEWHERE}, FORBIDDEN, FORBIDDEN),
    "an opaque origin": ({"Origin": "null"}, FORBIDDEN, FORBIDDEN),
    "no origin": ({"Origin": None}, None, FORBIDDEN),
    "another site": ({"Sec-Fetch-Site": "cross-site"}, FORBIDDEN, FORBIDDEN),
    "another port of this machine": ({"Sec-Fetch-Site": "same-site"}, FORBIDDEN, FORBIDDEN),
    "who does not say which site": ({"Sec-Fetch-Site": None}, None, FORBIDDEN),
    "a foreign host": ({"Host": "evil.example"}, MISDIRECTED, MISDIRECTED),
    "no host": ({"Host": None}, MISDIRECTED, MISDIRECTED),
    "a form": ({"Content-Type": "text/plain"}, None, 415),
}


@pytest.mark.parametrize("who", OTHERS)
@pytest.mark.parametrize("path", ROUTES)
def test_an_address_gives_nothing_to_anybody_but_its_own_page(
    served: Served, path: str, who: str
) -> None:
    door, views = served
    changes, to_read, to_act = OTHERS[who]
    expected = to_act if ROUTES[path].acts else to_read
    headers = {
        name: value for name, value in (own_headers(door) | changes).items() if value is not None
    }
    views.asked.clear()
    status = ask(door, "POST" if ROUTES[path].acts else "GET", path, headers)
    if expected is not None:
        assert (status, views.asked) == (expected, [])


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_an_address_is_asked_by_its_own_method_only(served: Served, path: str, method: str) -> None:
    door, views = served
    views.asked.clear()
    status = ask(door, method, path, own_headers(door))
    if method != ("POST" if ROUTES[path].acts else "GET"):
        assert status in {WRONG_METHOD, NO_METHOD}
        assert views.asked == []


@pytest.mark.parametrize("path", [path for path, route in ROUTES.items() if route.acts])
def test_the_page_itself_is_served(served: Served, path: str) -> None:
    """Or all of the above would prove nothing."""
    door, views = served
    views.asked.clear()
    assert ask(door, "POST", path, own_headers(door)) == 200
    assert [name for name, _ in views.asked] == [ROUTES[path].view]
