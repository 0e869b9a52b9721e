"""Make text of others harmless to whoever reads it: what is not printable is shown as its escape.

Terminals obey control characters (ECMA-48: C0, ESC sequences, C1), and bidirectional controls let text read
differently from what it says ("Trojan Source", CVE-2021-42574). Payloads, errors and ids may hold either.
Python's own notion of printable decides (`str.isprintable`), so that nothing invisible is left either.
"""

from __future__ import annotations

from typing import Final

_LAST_ASCII: Final = 0x7F
_LAST_OF_BMP: Final = 0xFFFF


def printable(text: str) -> str:
    r"""Return text with everything but printable characters, newlines and tabs as an escape.

    For readers, not for programs: a backslash of the text's own stays as it is. Escapes are Python's: `\x1b`,
    `\u009b`, `\U000e0001`.
    """
    return "\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n"))


def printable_json(text: str) -> str:
    r"""Return a JSON text of the same value, on one line and of printable characters only.

    Args:
        text: Valid JSON: outside of its strings it holds no other control characters than white space.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else " " if char in "\t\n\r" else _json_escape(char)
        for char in text
    )


def _escaped(line: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else _escape(char) for char in line)


def _escape(char: str) -> str:
    code = ord(char)
    if code <= _LAST_ASCII:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_OF_BMP else f"\\U{code:08x}"


def _json_escape(char: str) -> str:
    """Return the escape that RFC 8259, section 7, has for a character: beyond the BMP it is a pair."""
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
