"""Text widgets: markdown as HTML that can neither run anything nor load anything."""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt

_BUTTON: Final = re.compile(r"\[button:(?:primary:)?([^\]]*)\]")
"""CloudWatch's own addition: a link that looks like a button."""
_reader: Final = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def to_html(markdown: str) -> str:
    """Return the HTML of a text widget; HTML within it is shown, not obeyed."""
    html: str = _reader.render(_BUTTON.sub(r"[\1]", markdown))
    return html
