"""Markdown as HTML that can neither run nor load anything, with links that lead somewhere on this page."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

RUNBOOKS_AT: Final = "docs/runbooks"
_BUTTON: Final = re.compile(r"\[button:(?:primary:)?([^\]]*)\]")
"""CloudWatch's own addition: a link that looks like a button."""
_LINK: Final = re.compile(r'<a href="([^"]*)"([^>]*)>(.*?)</a>', re.DOTALL)
_reader: Final = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def to_html(markdown: str, folder: str = "") -> str:
    """Return the HTML of a text: HTML within it is shown, and a link that leads nowhere here is its words.

    Args:
        markdown: The text.
        folder: Where it is in the repository; the dashboard's own links begin at the root.
    """
    html: str = _reader.render(_BUTTON.sub(r"[\1]", markdown))

    def linked(found: re.Match[str]) -> str:
        to, more, words = found.groups()
        address = link_to(to, folder)
        return f'<a href="{address}"{more}>{words}</a>' if address else words

    return _LINK.sub(linked, html)


def link_to(address: str, folder: str = "") -> str:
    """Return where the page leads for a link; empty if it has nothing for it."""
    parts = urlsplit(address)
    if parts.scheme in {"http", "https", "mailto"} or address.startswith(("#", "/")):
        return address
    place, _, file = (f"{folder}/{parts.path}" if folder else parts.path).rpartition("/")
    if place != RUNBOOKS_AT or not file.endswith(".md"):
        return ""
    return f"/runbooks/{file.removesuffix('.md')}"
