"""A command on a terminal of 80 columns, and somebody who answers what it asks."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_COLUMNS, _LINES = 80, 24
_QUIET_S = 0.5
"""How long a line without an end must stand still to be a question, if it offers no default."""
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_OFFER = re.compile(r"\[[^\[\]]*\]: $")
_CHUNK_BYTES = 65_536


@dataclass(kw_only=True)
class Dialogue:
    """What was said."""

    answers: Mapping[str, str]
    """What to type, by what a question begins with; any other gets Enter alone."""
    questions: list[str] = field(default_factory=list)
    text: str = ""
    code: int | None = None
    """Exit code; None as long as it runs."""

    @property
    def line(self) -> str:
        """The line that was begun and not ended."""
        return _STYLE.sub("", self.text.rpartition("\n")[2]).strip("\t\r")

    def answer(self) -> str:
        """Take the line as a question, and return what is typed.

        Raises:
            RuntimeError: If it was asked before: Enter does not get past it.
        """
        question = self.line.strip()
        if question in self.questions:
            msg = f"asks again and again: {question}"
            raise RuntimeError(msg)
        self.questions.append(question)
        found = [text for start, text in self.answers.items() if question.startswith(start)]
        return found[0] if found else ""


def talk(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    answers: Mapping[str, str] | None = None,
    limit_s: float = 120.0,
) -> Dialogue:
    """Run a command on a terminal until it ends.

    Raises:
        RuntimeError: If it asks the same thing twice.
        TimeoutError: If it does not end in time.
    """
    said = Dialogue(answers=answers or {})
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**env, "TERM": "xterm"},
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
    )
    os.close(its_end)
    try:
        _converse(said, terminal, time.monotonic() + limit_s)
        said.code = process.wait(timeout=limit_s)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(terminal)
    return said


def _converse(said: Dialogue, terminal: int, deadline_s: float) -> None:
    """Read what is written, and answer what is asked, until the other end is closed."""
    while time.monotonic() < deadline_s:
        is_ready = bool(select.select([terminal], [], [], _QUIET_S)[0])
        if is_ready:
            try:
                chunk = os.read(terminal, _CHUNK_BYTES)
            except OSError:  # Linux says so that nobody has the terminal open any more
                return
            if not chunk:
                return
            said.text += chunk.decode("utf-8", "replace")
        if _OFFER.search(said.line) or (not is_ready and said.line.endswith(": ")):
            os.write(terminal, f"{said.answer()}\n".encode())
            said.text += "\n"
    msg = f"did not end in time; it said:\n{said.text[-3000:]}"
    raise TimeoutError(msg)
