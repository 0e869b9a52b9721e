from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.dashboard.server import HOST, PageAccess, answer, make_server
from reprise_cli.exits import CommandError, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = 8080
OWN = f"{HOST}:{PORT}"
DOOR = PageAccess(port=PORT, token="of-this-start")
OPEN = {"Host": OWN, "Authorization": f"Bearer {DOOR.token}"}
API = ("/api/about", "/api/dashboard", "/api/calls/orders:1", "/api/", "/api/x")


@dataclass
class FakePages:
    """Pages that say what they were asked."""

    asked: list[object] = field(default_factory=list)

    def dashboard(self, asked: Mapping[str, str]) -> dict[str, Any]:
        self.asked.append(asked)
        if asked.get("range") == "broken":
            raise ZeroDivisionError
        if asked.get("range") == "soon":
            raise CommandError("range", "'soon' cannot be had", "Choose another")
        return {"asked": dict(asked)}

    def call(self, call_id: str) -> dict[str, Any]:
        self.asked.append(call_id)
        if call_id == "nobody":
            raise NotFoundError("ID", "no call 'nobody' is known", "Try again")
        if not call_id:
            raise UsageError("ID", "is empty", "Name a call")
        return {"id": call_id}


def get(target: str, **headers: str) -> tuple[HTTPStatus, str, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = answer(FakePages(), OPEN | named, target, DOOR)
    return found.status, found.kind, found.body


def test_the_page_and_its_parts_are_served() -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/?range=1h", "text/html"),
        ("/calls/orders:1", "text/html"),
        ("/assets/page.js", "text/javascript"),
        ("/assets/uplot.js", "text/javascript"),
        ("/assets/page.css", "text/css"),
    ):
        status, found, body = get(path)
        assert (status, found) == (HTTPStatus.OK, kind)
        assert body


@pytest.mark.parametrize(
    "path", ["/assets/../server.py", "/assets/", "/x", "//elsewhere/", "/api/"]
)
def test_nothing_else_is_served(path: str) -> None:
    assert get(path)[0] is HTTPStatus.NOT_FOUND


def test_the_api_gets_what_was_asked() -> None:
    assert json.loads(get("/api/dashboard?range=1h&var.target=a%20b")[2]) == {
        "asked": {"range": "1h", "var.target": "a b"}
    }
    assert json.loads(get("/api/calls/orders%3Aorder%2F1")[2]) == {"id": "orders:order/1"}


@pytest.mark.parametrize("host", ["", "elsewhere", f"elsewhere:{PORT}", f"{HOST}:1", HOST])
def test_another_host_name_is_refused(host: str) -> None:
    assert get("/api/dashboard", Host=host)[0] is HTTPStatus.MISDIRECTED_REQUEST


@pytest.mark.parametrize("path", ["/", "/calls/orders:1", "/assets/page.js", *API])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "new-word"},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": f"http://{HOST}:1"},
        {"Origin": f"https://{OWN}"},
    ],
    ids=str,
)
def test_what_another_page_asks_is_refused_whatever_it_knows(
    path: str, headers: dict[str, str]
) -> None:
    status, _, body = get(path, **headers)
    assert status is HTTPStatus.FORBIDDEN
    assert json.loads(body)["error"]["field"] in {"Origin", "Sec-Fetch-Site"}


@pytest.mark.parametrize(
    "headers",
    [{"Sec_Fetch_Site": "none"}, {"Sec_Fetch_Site": "same-origin"}, {"Origin": f"http://{OWN}"}],
    ids=str,
)
def test_what_the_page_itself_asks_is_answered(headers: dict[str, str]) -> None:
    assert get("/api/dashboard", **headers)[0] is HTTPStatus.OK


@pytest.mark.parametrize("path", API)
@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer of-another-start", DOOR.token, "é"])
def test_nothing_is_read_without_the_token(path: str, given: str) -> None:
    pages = FakePages()
    found = answer(pages, OPEN | {"Authorization": given}, path, DOOR)
    assert found.status is HTTPStatus.FORBIDDEN
    assert "whole address" in json.loads(found.body)["error"]["next_step"]
    assert pages.asked == []


@given(token=st.text(), host=st.text(), origin=st.text(), site=st.text(), path=st.sampled_from(API))
def test_only_the_whole_address_reads(
    token: str, host: str, origin: str, site: str, path: str
) -> None:
    odd = {"Host": host, "Origin": origin, "Sec-Fetch-Site": site}
    for headers in ({**OPEN, "Authorization": f"Bearer {token}"}, {**OPEN, **odd}):
        pages = FakePages()
        assert answer(pages, headers, path, DOOR).status is not HTTPStatus.OK
        assert pages.asked == []


def test_the_address_carries_the_token_where_no_browser_sends_it() -> None:
    assert DOOR.address() == f"http://{OWN}/#token=of-this-start"
    assert DOOR.address("range=5m") == f"http://{OWN}/?range=5m#token=of-this-start"
    assert DOOR.token not in repr(DOOR)


def test_known_errors_name_the_field_and_others_give_nothing_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    status, _, body = get("/api/dashboard?range=soon")
    assert (status, json.loads(body)["error"]["field"]) == (HTTPStatus.BAD_GATEWAY, "range")
    status, _, body = get("/api/dashboard?range=broken")
    assert status is HTTPStatus.INTERNAL_SERVER_ERROR
    assert json.loads(body)["error"]["message"] == "an error of ours"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("call", "status"), [("nobody", HTTPStatus.NOT_FOUND), ("", HTTPStatus.BAD_REQUEST)]
)
def test_an_unknown_call_is_not_found_and_none_is_a_bad_request(
    call: str, status: HTTPStatus
) -> None:
    found, _, body = get(f"/api/calls/{call}")
    assert (found, json.loads(body)["error"]["field"]) == (status, "ID")


def test_every_answer_has_the_strict_headers() -> None:
    server, door = make_server(FakePages(), DOOR.token)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://{HOST}:{door.port}"
        for path in ("/", "/api/dashboard"):
            request = urllib.request.Request(
                url + path, headers={"Authorization": OPEN["Authorization"]}
            )
            with urllib.request.urlopen(request, timeout=5) as found:
                headers = found.headers
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'")
            assert "unsafe" not in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "Access-Control-Allow-Origin" not in headers
        post = urllib.request.Request(url, data=b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="501"):
            urllib.request.urlopen(post, timeout=5)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_port_that_is_taken_is_named() -> None:
    server, door = make_server(FakePages(), DOOR.token)
    try:
        with pytest.raises(CommandError, match="--port"):
            make_server(FakePages(), DOOR.token, door.port)
    finally:
        server.server_close()
