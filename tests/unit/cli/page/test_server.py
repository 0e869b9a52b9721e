from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import replace
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.exits import CommandError
from reprise_cli.page.access import API as BEGINNING
from reprise_cli.page.access import HOST, OPERATE_HEADER, PageRequest
from reprise_cli.page.routes import FILES, ROUTES
from reprise_cli.page.server import MAX_BODY_BYTES, answer, make_server
from unit.cli.page.views import ACT, DOOR, OPEN, OWN, PORT, FakeViews, get, post

if TYPE_CHECKING:
    from collections.abc import Mapping

READS = [path for path, route in ROUTES.items() if not route.acts]
ACTS = [path for path, route in ROUTES.items() if route.acts]
API = [*READS, "/api/calls/orders:1", "/api/", "/api/x"]


def test_the_page_and_its_parts_are_served() -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/?range=1h", "text/html"),
        ("/calls/orders:1", "text/html"),
        ("/assets/page.js", "text/javascript"),
        ("/assets/uplot.js", "text/javascript"),
        ("/assets/page.css", "text/css"),
    ):
        found = get(path)
        assert (found.status, found.kind) == (HTTPStatus.OK, kind)
        assert found.body


@pytest.mark.parametrize(
    "path", ["/assets/../server.py", "/assets/", "/x", "//elsewhere/", "/api/"]
)
def test_nothing_else_is_served(path: str) -> None:
    assert get(path).status is HTTPStatus.NOT_FOUND


def test_every_file_that_has_an_address_is_there() -> None:
    for path in FILES:
        assert get(path).status is HTTPStatus.OK, path


def test_the_api_gets_what_was_asked() -> None:
    assert json.loads(get("/api/dashboard?range=1h&var.target=a%20b").body) == {
        "view": "dashboard",
        "asked": {"range": "1h", "var.target": "a b", "id": ""},
    }
    found = json.loads(get("/api/calls/orders%3Aorder%2F1?show=result&id=other").body)
    assert found == {"view": "call", "asked": {"show": "result", "id": "orders:order/1"}}
    assert json.loads(get("/api/letters").body)["view"] == "letters"
    assert json.loads(get("/api/letters/a").body)["view"] == "letter"


@pytest.mark.parametrize("host", ["", "elsewhere", f"elsewhere:{PORT}", f"{HOST}:1", HOST])
def test_another_host_name_is_refused(host: str) -> None:
    assert get("/api/dashboard", headers={"Host": host}).status is HTTPStatus.MISDIRECTED_REQUEST


@pytest.mark.parametrize("path", ["/", "/calls/orders:1", "/assets/page.js", *API])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "new-word"},
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
    found = get(path, headers=headers)
    assert found.status is HTTPStatus.FORBIDDEN
    assert json.loads(found.body)["error"]["field"] in {"Origin", "Sec-Fetch-Site"}


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": f"http://{OWN}"}],
    ids=str,
)
def test_what_the_page_itself_asks_is_answered(headers: dict[str, str]) -> None:
    assert get("/api/dashboard", headers=headers).status is HTTPStatus.OK


@pytest.mark.parametrize("path", API)
@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer of-another-start", DOOR.token, "é"])
def test_nothing_is_read_without_the_token(path: str, given: str) -> None:
    views = FakeViews()
    found = get(path, views, {"Authorization": given})
    assert found.status is HTTPStatus.FORBIDDEN
    assert "whole address" in json.loads(found.body)["error"]["next_step"]
    assert views.asked == []


@given(token=st.text(), host=st.text(), origin=st.text(), site=st.text(), path=st.sampled_from(API))
def test_only_the_whole_address_reads(
    token: str, host: str, origin: str, site: str, path: str
) -> None:
    odd = {"Host": host, "Origin": origin, "Sec-Fetch-Site": site}
    for headers in ({**OPEN, "Authorization": f"Bearer {token}"}, {**OPEN, **odd}):
        views = FakeViews()
        request = PageRequest(method="GET", target=path, headers=headers)
        assert answer(views.views(), request, DOOR).status is not HTTPStatus.OK
        assert views.asked == []


def test_the_address_carries_the_token_where_no_browser_sends_it() -> None:
    assert DOOR.address() == f"http://{OWN}/#token=of-this-start"
    assert DOOR.address("range=5m") == f"http://{OWN}/?range=5m#token=of-this-start"
    assert (
        DOOR.address(operates=True) == f"http://{OWN}/#token=of-this-start&operate=of-the-operator"
    )
    assert DOOR.token not in repr(DOOR)
    assert "of-the-operator" not in repr(DOOR)


def test_known_errors_name_the_field_and_others_give_nothing_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = get("/api/dashboard?range=soon")
    assert found.status is HTTPStatus.BAD_GATEWAY
    assert json.loads(found.body)["error"]["field"] == "range"
    found = get("/api/dashboard?range=broken")
    assert found.status is HTTPStatus.INTERNAL_SERVER_ERROR
    assert json.loads(found.body)["error"]["message"] == "an error of ours"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("call", "status"), [("nobody", HTTPStatus.NOT_FOUND), ("", HTTPStatus.BAD_REQUEST)]
)
def test_an_unknown_call_is_not_found_and_none_is_a_bad_request(
    call: str, status: HTTPStatus
) -> None:
    found = get(f"/api/calls/{call}")
    assert (found.status, json.loads(found.body)["error"]["field"]) == (status, "ID")


# --- What changes something ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ACTS)
def test_the_page_itself_acts_with_the_operators_token(path: str) -> None:
    views = FakeViews()
    assert post(path, {"why": "drill"}, views=views).status is HTTPStatus.OK
    assert views.asked == [(ROUTES[path].view, {"why": "drill"})]


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({OPERATE_HEADER: ""}, OPERATE_HEADER),
        ({OPERATE_HEADER: DOOR.token}, OPERATE_HEADER),
        ({OPERATE_HEADER: "é"}, OPERATE_HEADER),
        ({"Authorization": ""}, "Authorization"),
        ({"Authorization": "Bearer of-the-operator"}, "Authorization"),
        ({"Origin": ""}, "Origin"),
        ({"Origin": "null"}, "Origin"),
        ({"Origin": "https://evil.example"}, "Origin"),
        ({"Origin": f"http://localhost:{PORT}"}, "Origin"),
        ({"Sec-Fetch-Site": ""}, "Sec-Fetch-Site"),
        ({"Sec-Fetch-Site": "none"}, "Sec-Fetch-Site"),
        ({"Sec-Fetch-Site": "same-site"}, "Sec-Fetch-Site"),
        ({"Content-Type": ""}, "Content-Type"),
        ({"Content-Type": "text/plain"}, "Content-Type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "Content-Type"),
        ({"Host": "elsewhere"}, "Host"),
    ],
    ids=str,
)
def test_nothing_is_done_for_anybody_else(
    path: str, changes: Mapping[str, str], field: str
) -> None:
    views = FakeViews()
    found = post(path, views=views, headers={**ACT, **changes})
    assert found.status >= HTTPStatus.BAD_REQUEST
    assert json.loads(found.body)["error"]["field"] == field
    assert views.asked == []


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_done_but_by_post(path: str, method: str) -> None:
    views = FakeViews()
    found = post(path, views=views, method=method)
    assert found.status is HTTPStatus.METHOD_NOT_ALLOWED
    assert views.asked == []


@pytest.mark.parametrize("path", ACTS)
def test_a_page_that_may_only_read_does_nothing_whatever_is_sent(path: str) -> None:
    reading = replace(DOOR, operate=None)
    for word in ("", "None", "of-the-operator"):
        views = FakeViews()
        found = post(path, views=views, headers={**ACT, OPERATE_HEADER: word}, door=reading)
        assert found.status is HTTPStatus.FORBIDDEN
        assert "--operate" in json.loads(found.body)["error"]["next_step"]
        assert views.asked == []


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b"\xff", b"[" * 60_000])
def test_a_body_that_is_no_object_is_refused(path: str, body: bytes) -> None:
    views = FakeViews()
    assert post(path, body, views=views).status is HTTPStatus.BAD_REQUEST
    assert views.asked == []


@pytest.mark.parametrize("path", [*READS, *FILES])
def test_what_is_read_is_not_asked_by_post(path: str) -> None:
    assert post(path).status is HTTPStatus.METHOD_NOT_ALLOWED


@given(headers=st.dictionaries(st.sampled_from([*ACT]), st.text()), path=st.sampled_from(ACTS))
def test_only_all_of_it_together_acts(headers: dict[str, str], path: str) -> None:
    views = FakeViews()
    given = {**ACT, **headers}
    is_whole = all(given[name] == ACT[name] for name in ACT)
    json_kind = given["Content-Type"].partition(";")[0].strip().lower() == "application/json"
    rest = all(given[name] == ACT[name] for name in ACT if name != "Content-Type")
    is_done = post(path, views=views, headers=given).status is HTTPStatus.OK
    assert is_done == (is_whole or (json_kind and rest)) == bool(views.asked)


def test_every_act_is_below_the_api() -> None:
    assert all(path.startswith(BEGINNING) for path in ROUTES)
    assert len(ACTS) >= 7


# --- The server ----------------------------------------------------------------------------------------


def test_every_answer_has_the_strict_headers() -> None:
    server, door = make_server(FakeViews().views(), DOOR.token)
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
        for body, status in ((b"{}", 403), (b" " * (MAX_BODY_BYTES + 1), 413)):
            act = urllib.request.Request(url + ACTS[0], data=body, method="POST")
            with pytest.raises(urllib.error.HTTPError, match=str(status)):
                urllib.request.urlopen(act, timeout=5)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_port_that_is_taken_is_named() -> None:
    server, door = make_server(FakeViews().views(), DOOR.token)
    try:
        with pytest.raises(CommandError, match="--port"):
            make_server(FakeViews().views(), DOOR.token, door.port)
    finally:
        server.server_close()
