from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from reprise_cli.dashboard.server import HOST, answer, make_server
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = 8080
OWN = f"{HOST}:{PORT}"


@dataclass
class FakePages:
    """Pages that say what they were asked."""

    asked: list[object] = field(default_factory=list)

    def dashboard(self, asked: Mapping[str, str]) -> dict[str, Any]:
        if asked.get("range") == "broken":
            raise ZeroDivisionError
        if asked.get("range") == "soon":
            raise CommandError("range", "'soon' is none", "Choose another")
        return {"asked": dict(asked)}

    def call(self, call_id: str) -> dict[str, Any]:
        return {"id": call_id}


def get(target: str, host: str = OWN) -> tuple[HTTPStatus, str, bytes]:
    found = answer(FakePages(), host, target, PORT)
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
    assert get("/api/dashboard", host)[0] is HTTPStatus.MISDIRECTED_REQUEST


def test_known_errors_name_the_field_and_others_give_nothing_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    status, _, body = get("/api/dashboard?range=soon")
    assert (status, json.loads(body)["error"]["field"]) == (HTTPStatus.BAD_GATEWAY, "range")
    status, _, body = get("/api/dashboard?range=broken")
    assert json.loads(body)["error"]["message"] == "an error of ours"
    assert "ZeroDivisionError" in caplog.text


def test_every_answer_has_the_strict_headers() -> None:
    server = make_server(FakePages())
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://{HOST}:{server.server_address[1]}"
        for path in ("/", "/api/dashboard"):
            with urllib.request.urlopen(url + path, timeout=5) as found:  # noqa: S310 - our own server
                headers = found.headers
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'")
            assert "unsafe" not in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
        post = urllib.request.Request(url, data=b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="501"):
            urllib.request.urlopen(post, timeout=5)  # noqa: S310 - as above
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_port_that_is_taken_is_named() -> None:
    server = make_server(FakePages())
    try:
        with pytest.raises(CommandError, match="--port"):
            make_server(FakePages(), server.server_address[1])
    finally:
        server.server_close()
