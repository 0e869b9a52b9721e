"""Where one thing ends and the next begins in text that has no delimiters; all linear patterns.

Firehose "concatenates data without any delimiters" (Firehose developer guide, basic delivery), or ends
records with newlines, or extracts messages and ends each with a newline, as it is configured.
"""

from __future__ import annotations

import re
from typing import Final

GAP: Final = b" \t\r\n\x0b\x0c\x00"
"""What may stand between documents, lines and members: blanks, and zeros of block devices."""
BLANKS: Final = re.compile(rb"[\s\x00]*+(?:\xef\xbb\xbf[\s\x00]*+)*+")
"""Gaps, and the byte-order marks that some tools begin UTF-8 with."""
PARTIAL_MARK: Final = (b"\xef", b"\xef\xbb")

OBJECT: Final = re.compile(rb'\{[\s\x00]*+(?:(["}])|\Z|)')
"""A brace, and in its group what makes it the beginning of a JSON object; without it a line has a brace.

Python's reprs, Go's structs, Java's maps and templates begin with a brace, too.
"""
RECORD_END: Final = re.compile(rb"=(?=H4sI)")
"""The end of base64 that other gzip as base64 follows."""
PUNCTUATION: Final = re.compile(rb'[\s\[\]{},:"]*')
"""What is left of JSON where its documents are gone."""

BOUNDARY: Final = re.compile(rb'\}\s*+(?=\{\s*+"[^,}\]:\s])')
"""The end of a JSON object that another one follows.

Outside strings no JSON text holds `}{`. Inside a string the quote after `}{` would end it, and then only
a comma, a brace, a bracket, a colon or a blank may follow: hence the last character.
"""
PARTIAL_BOUNDARY: Final = re.compile(rb'\}\s*+(?:\{\s*+"?)?\Z')
"""A boundary as far as it is known at the end of a piece."""

_KNOWN: Final = (
    r"\{\s{0,8}\"(?:"
    r"(?:messageType\"\s{0,8}:\s{0,8}\"(?:DATA|CONTROL)_MESSAGE\""
    r"|owner\"\s{0,8}:\s{0,8}\"(?:[0-9]{12}|CloudwatchLogs)\")"
    # Applications have fields of these names, but not two of them.
    r"\s{0,8},\s{0,8}\"(?:owner|messageType|log(?:Group|Stream|Events)|subscriptionFilters|policyLevel)\""
    r"|reprise\"\s{0,8}:\s{0,8}[0-9])"
)
KNOWN: Final = re.compile(_KNOWN.encode())
"""How envelopes and capture lines begin: the places to go on after damage."""
LONGEST_KNOWN_BYTES: Final = 128
OURS: Final = b'"reprise"'

FIRST_KEY: Final = re.compile(r'\{\s{0,8}"[^"\\\x00-\x1f]{1,64}"\s{0,8}:')
"""How a document begins; the next one of its kind mostly begins the same."""
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def known_text() -> str:
    """Return the pattern of KNOWN, to be joined with others for text."""
    return _KNOWN


def as_text(data: bytes) -> str | None:
    """Return what people could have written as text; None for anything else."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROLS.search(text) else text
