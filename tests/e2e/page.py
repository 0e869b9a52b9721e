"""The dashboard page in a real browser, and short ways to look at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from reprise_cli.deploy import REPOSITORY
from reprise_cli.page.browser import QUIET_FLAGS, find_browser, sandbox_flags
from reprise_cli.place import exports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request

    from reprise_cli.place import Place

BROWSER = find_browser(os.environ)
WIDE, NARROW = 1440, 390
_TIMEOUT_MS = 20_000
_MISSING = "no Chromium was found: browsers are NOT tested here (apt install chromium)"
_BLANK = """canvas => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.every(each => each === 0);
}"""


@contextmanager
def served_page(place: Place, *options: str) -> Iterator[str]:
    """Run the command on an engine, as a user does, and give the page's address with its tokens."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("reprise")), "dashboard", "--json", *options],
        env={"PATH": "/usr/bin:/bin", **exports(place)},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield str(told.get("operate_url", told["url"]))
    finally:
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 0


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Start the system's Chromium, without a window and without its usual talk.

    Without one the test is skipped, loudly.
    """
    if BROWSER is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs a browser: make chromium")
        # pytest's summary shows a skip in one line; this one is to be seen.
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn(_MISSING, UserWarning, stacklevel=1)
        pytest.skip(_MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER, args=[*QUIET_FLAGS, *sandbox_flags(), *flags]
        )
        yield browser
        browser.close()


@contextmanager
def hostile_site() -> Iterator[int]:
    """Serve an empty page on a port of this machine; what a site of anybody may do is done from there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>anybody's</title>")

        def log_message(self, *_values: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Visit:
    """A page that was opened, and what the browser said about it."""

    page: Page
    address: str
    """As the command printed it, with the token behind the #."""
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(_TIMEOUT_MS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)

    @property
    def url(self) -> str:
        return self.address.partition("#")[0].rstrip("/")

    def go(self, path: str = "/", *, has_token: bool = True) -> None:
        _, sign, token = self.address.partition("#")
        self.page.goto(self.url + path + (sign + token if has_token else ""))
        self.page.wait_for_selector("main[aria-busy=false]", state="attached")

    def card(self, title: str) -> Locator:
        """Return the widget of this title; the period that it says does not matter."""
        return self.page.locator(".card", has=self.page.locator("h2", has_text=title)).first

    def number(self, title: str) -> str:
        return self.card(title).locator("strong").first.inner_text()

    def legend(self, title: str) -> dict[str, str]:
        """Return a chart's values by label: totals of what is counted, else the last."""
        entries = self.card(title).locator(".legend button")
        texts = [entry.evaluate(_ENTRY) for entry in entries.all()]
        return dict(texts)

    def blank_charts(self) -> list[str]:
        """Return the titles of charts on whose canvas nothing was drawn."""
        charts = self.page.locator(".card", has=self.page.locator(".plot")).all()
        assert len(charts) > 10
        return [
            chart.locator("h2").inner_text()
            for chart in charts
            if chart.locator("canvas").evaluate(_BLANK)
        ]

    def overflow_px(self) -> int:
        """Return by how much the page is wider than its window."""
        root: Any = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return int(root)

    def foreign(self) -> list[str]:
        """Return the requests that went to somebody else."""
        return [url for url in self.requests if not url.startswith(self.url)]

    def data_requests(self) -> int:
        return sum("/api/dashboard" in url for url in self.requests)

    def picture(self, folder: Path, name: str, *, height: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        clip = None
        if height is not None:
            width = self.page.viewport_size["width"] if self.page.viewport_size else WIDE
            clip = {"x": 0, "y": 0, "width": width, "height": height}
        self.page.screenshot(path=folder / name, full_page=True, clip=clip)  # type: ignore[arg-type]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)


_ENTRY = """entry => [
  [...entry.childNodes].filter(node => node.nodeType === 3).map(node => node.data).join("").trim(),
  entry.querySelector("b").textContent,
]"""
