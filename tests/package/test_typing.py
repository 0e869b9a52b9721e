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
import reprise

reprise.invoke(7)
reprise.invoke("orders", idempotency_key=b"bytes")
reprise.invoke("orders", retries=3)
reprise.invoke("orders", b"", "live")
reprise.invoke("orders").status_code.upper()
reprise.invokes("orders")
reprise.Client(timeout_s=3)
reprise.capture(on="ValueError")

@reprise.capture
def handler(event: object) -> None: ...
"""


def _check(installation: Installation, file: Path) -> list[str]:
    done = subprocess.run(
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
    assert codes == [
        *("[arg-type]", "[arg-type]", "[call-arg]", "[call-arg]"),
        *("[attr-defined]", "[attr-defined]", "[call-arg]", "[call-overload]", "[arg-type]"),
    ]
