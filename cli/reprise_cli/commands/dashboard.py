"""`reprise dashboard`: the deployed dashboard on a page of this machine, or in a picture."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlencode

import typer

from reprise_cli.app import app_of
from reprise_cli.exits import UsageError
from reprise_cli.page.browser import take_picture
from reprise_cli.page.pages import DEFAULT_RANGE
from reprise_cli.page.server import TOKEN_VARIABLE, make_server
from reprise_cli.page.workbench import make_views

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer
    from types import FrameType
    from typing import NoReturn

    from reprise_cli.app import App
    from reprise_cli.page.access import PageAccess

_ROW_PX: Final = 52
"""Height of a grid row and the gap below it, as in page.css."""
_FRAME_PX: Final = 220
"""Height of the page's head and foot, and of what stands around the targets."""
_LINE_PX: Final = 42
"""Height of a target, or of something that is wrong."""


def dashboard(
    context: typer.Context,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    name: Annotated[
        str | None, typer.Option(help="CloudWatch dashboard. (default: the stack's own)")
    ] = None,
    show_payload: Annotated[
        bool, typer.Option("--show-payload", help="Let the page of a call show its payload.")
    ] = False,
    operate: Annotated[
        bool,
        typer.Option(
            "--operate",
            help="Print a second address, by which targets can be paused and letters redriven.",
        ),
    ] = False,
    png: Annotated[Path | None, typer.Option(help="Write a picture to this file, and end.")] = None,
    range_: Annotated[
        str, typer.Option("--range", help="Of the picture: 5m, 15m, 1h, 3h, 12h, 1d, 3d, 1w, 30d.")
    ] = DEFAULT_RANGE,
    period: Annotated[str, typer.Option(help="Of the picture: auto, 5s, 1m, ...")] = "auto",
    theme: Annotated[str, typer.Option(help="Of the picture: light or dark.")] = "light",
    width: Annotated[int, typer.Option(min=320, max=4000, help="Of the picture.")] = 1440,
) -> None:
    """Show targets, charts, calls, letters and policy on a page of 127.0.0.1, until Ctrl-C."""
    reprise = app_of(context)
    if operate and png is not None:
        raise UsageError("--operate", "has nothing to do in a picture", "Leave one out")
    if theme not in {"light", "dark"}:
        raise UsageError("--theme", f"{theme!r} is none", "Say light or dark")
    # While a picture is taken, its address stands in the list of processes.
    shows_payload = show_payload and png is None
    views = make_views(reprise, name, shows_payload=shows_payload, operates=operate)
    query = {"range": range_, "period": period}
    drawn = views["dashboard"](query)  # What cannot be drawn is told here, not in a browser.
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(32)
    server, door = make_server(views, token, port, secrets.token_urlsafe(32) if operate else None)
    if png is None:
        _say(reprise, drawn, door)
        _serve(server)
        return
    rows = max((widget["y"] + widget["height"] for widget in drawn["widgets"]), default=1)
    now = views["top"]({})
    live = len(now["targets"]) + len(now["wrong"])
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with reprise.out.progress("taking the picture"):
            address = door.address(urlencode(query | {"refresh": "off", "theme": theme}))
            take_picture(
                address, png, width=width, height=rows * _ROW_PX + _FRAME_PX + live * _LINE_PX
            )
    finally:
        server.shutdown()
        server.server_close()
    reprise.out.show(f"wrote {png}")
    reprise.out.result({"png": str(png)})


def _say(reprise: App, drawn: dict[str, Any], door: PageAccess) -> None:
    reprise.out.show(f"dashboard {drawn['name']} ({drawn['place']}): {door.address()}")
    reprise.out.note("who has this address can read the page; Ctrl-C ends it")
    urls = {"url": door.address()}
    if door.operate is not None:
        reprise.say_place()
        urls["operate_url"] = door.address(operates=True)
        reprise.out.show(f"to operate, as {reprise.operator}: {urls['operate_url']}")
        reprise.out.note("who has that one can pause targets, and redrive and discard letters")
    reprise.out.result(urls | {"name": drawn["name"]})


def _serve(server: ThreadingHTTPServer) -> None:
    signal.signal(signal.SIGTERM, _end)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt
