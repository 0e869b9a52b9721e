"""`reprise dashboard`: the deployed dashboard on a page of this machine, or in a picture."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlencode

import typer

from reprise_cli.app import app_of
from reprise_cli.dashboard.browser import take_picture
from reprise_cli.dashboard.pages import DEFAULT_RANGE, StackPages
from reprise_cli.dashboard.server import TOKEN_VARIABLE, make_server
from reprise_cli.exits import UsageError

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer
    from types import FrameType
    from typing import NoReturn

_ROW_PX: Final = 52
"""Height of a grid row and the gap below it, as in page.css."""
_FRAME_PX: Final = 120
"""Height of the page's head and foot."""


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
    png: Annotated[Path | None, typer.Option(help="Write a picture to this file, and end.")] = None,
    range_: Annotated[
        str, typer.Option("--range", help="Of the picture: 5m, 15m, 1h, 3h, 12h, 1d, 3d.")
    ] = DEFAULT_RANGE,
    period: Annotated[str, typer.Option(help="Of the picture: auto, 5s, 1m, ...")] = "auto",
    theme: Annotated[str, typer.Option(help="Of the picture: light or dark.")] = "light",
    width: Annotated[int, typer.Option(min=320, max=4000, help="Of the picture.")] = 1440,
) -> None:
    """Show the deployed CloudWatch dashboard with its data, on 127.0.0.1, until Ctrl-C."""
    reprise = app_of(context)
    # While a picture is taken, its address stands in the list of processes.
    pages = StackPages(reprise, name, shows_payload=show_payload and png is None)
    if theme not in {"light", "dark"}:
        raise UsageError("--theme", f"{theme!r} is none", "Say light or dark")
    query = {"range": range_, "period": period}
    drawn = pages.dashboard(query)  # What cannot be drawn is told here, not in a browser.
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(32)
    server, door = make_server(pages, token, port)
    if png is None:
        reprise.out.show(f"dashboard {drawn['name']} ({drawn['place']}): {door.address()}")
        reprise.out.note("who has this address can read the page; Ctrl-C ends it")
        reprise.out.result({"url": door.address(), "name": drawn["name"]})
        _serve(server)
        return
    rows = max((widget["y"] + widget["height"] for widget in drawn["widgets"]), default=1)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with reprise.out.progress("taking the picture"):
            address = door.address(urlencode(query | {"refresh": "off", "theme": theme}))
            take_picture(address, png, width=width, height=rows * _ROW_PX + _FRAME_PX)
    finally:
        server.shutdown()
        server.server_close()
    reprise.out.show(f"wrote {png}")
    reprise.out.result({"png": str(png)})


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
