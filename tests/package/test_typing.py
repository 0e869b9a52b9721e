"""The types that whoever installs the library sees, as mypy sees them: `py.typed` is in the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from package.installation import Installation

CALLER: Final = Path(__file__).parent / "caller.py"
MISTAKES: Final = """
from reprise import capture, client

client.invoke(7)
client.invoke("orders", idempotency_key=b"bytes")
client.invoke("orders", retries=3)
client.invoke("orders").status_code.upper()

@capture
def handler(event: object) -> None: ...
"""


def _check(installation: Installation, file: Path) -> list[str]:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file="),
            *("--python-executable", installation.python),
            *("--cache-dir", os.devnull, "--no-error-summary", file.name),
        ],
        cwd=file.parent,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode < 2, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_a_caller_is_checked_against_the_installed_library(
    library: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "caller.py"
    file.write_text(CALLER.read_text())
    assert _check(library, file) == []


def test_a_callers_mistakes_are_found(library: Installation, tmp_path: Path) -> None:
    file = tmp_path / "caller.py"
    file.write_text(MISTAKES)
    codes = [line.rpartition("  ")[2] for line in _check(library, file) if ": error:" in line]
    assert codes == ["[arg-type]", "[arg-type]", "[call-arg]", "[attr-defined]", "[arg-type]"]
