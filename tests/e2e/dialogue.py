"""Hold a conversation with a command that asks questions on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_QUESTION: Final = re.compile(r"[^\r\n]*(?:: ?|\? )$")
"""A line that has not ended, and waits: `Stack Name [reprise]: `."""
_QUIET_S: Final = 0.3
"""How long nothing more comes once a question stands there."""


def converse(
    command: Sequence[str | Path],
    answers: Mapping[str, str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    limit_s: float,
) -> tuple[str, list[str]]:
    """Run a command on a pseudo-terminal of 80 columns; return what it wrote, and its questions.

    Args:
        command: The command.
        answers: What is typed, by the beginning of a question; Enter alone for any other.
        env: Its environment.
        cwd: Its folder.
        limit_s: How long it may take.

    Raises:
        AssertionError: If it asks a question twice, ends with an error, or takes too long.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - a test's own command
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**env, "COLUMNS": "80", "TERM": "xterm"},
        cwd=cwd,
        start_new_session=True,
    )
    os.close(theirs)
    written, questions = "", list[str]()
    deadline_s = time.monotonic() + limit_s
    try:
        while (chunk := _read(ours, deadline_s, written)) is not None:
            written += chunk
            question = _QUESTION.search(_ESCAPES.sub("", written))
            if chunk or question is None or not question[0].strip():
                continue
            asked = question[0].strip()
            assert asked not in questions, f"asked again: {asked}\n{written[-2000:]}"
            questions.append(asked)
            typed = next((text for begin, text in answers.items() if asked.startswith(begin)), "")
            os.write(ours, f"{typed}\n".encode())
            written += "\n"
        code = process.wait(10)
    finally:
        process.kill()
        os.close(ours)
    assert code == 0, written[-3000:]
    return written, questions


def _read(terminal: int, deadline_s: float, written: str) -> str | None:
    """Return what comes next, an empty text if nothing does for a moment, None at the end."""
    assert time.monotonic() < deadline_s, f"takes too long:\n{written[-2000:]}"
    if not select.select([terminal], [], [], _QUIET_S)[0]:
        return ""
    try:
        data = os.read(terminal, 65536)
    except OSError:  # Linux's way to say that the other side has closed
        return None
    return data.decode(errors="replace") or None
