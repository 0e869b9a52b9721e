"""The picture of the demo: what `make demo` printed, line by line, as an SVG that needs no script."""

from __future__ import annotations

import re
from html import escape
from typing import Final

_BLOCK: Final = re.compile(r"```\n( *[0-9.]+s  captured.*?)```", re.DOTALL)
_LINE_PX: Final = 19
_WIDTH_PX: Final = 760
_STEP_S: Final = 1.0


def demo_picture(readme: str) -> str:
    """Return the picture of the block that begins with the demo's first line.

    Raises:
        ValueError: If the page has no such block.
    """
    found = _BLOCK.search(readme)
    if found is None:
        msg = "README.md must have what `make demo` printed"
        raise ValueError(msg)
    lines = ["$ make demo", *found[1].rstrip().splitlines()]
    height_px = (len(lines) + 2) * _LINE_PX
    shown = "\n".join(_line(number, line) for number, line in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH_PX} {height_px}" role="img">\n'
        "<title>make demo: refused calls are kept and replayed; none is lost, none runs twice</title>\n"
        "<style>text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#d6deeb;white-space:pre}"
        "@keyframes in{from{opacity:0}}"
        "@media(prefers-reduced-motion:reduce){text{animation:none!important}}</style>\n"
        f'<rect width="{_WIDTH_PX}" height="{height_px}" rx="8" fill="#0d1b2a"/>\n{shown}\n</svg>\n'
    )


def _line(number: int, line: str) -> str:
    """Return a line that comes in a second after the one before."""
    y_px = (number + 1.5) * _LINE_PX
    return (
        f'<text x="16" y="{y_px:g}" xml:space="preserve" '
        f'style="animation:in .2s {number * _STEP_S:g}s backwards">{escape(line)}</text>'
    )
