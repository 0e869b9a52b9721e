"""Take a picture of the page by a browser without a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING, Final

from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BROWSER_VARIABLE: Final = "REPRISE_BROWSER"
"""Names the browser, where it is not found by its usual names."""
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_LIMIT_S: Final = 90
_SETTLE_MS: Final = 3_000
"""Page time until the picture is taken; it stands still while the page waits for the server."""
QUIET_FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
)
"""A browser for one page: it asks nothing of anybody else."""


def find_browser(environment: Mapping[str, str]) -> str | None:
    """Return the path of a browser that can run without a window; None if there is none."""
    names = (environment.get(BROWSER_VARIABLE), *_NAMES)
    found = (shutil.which(name, path=environment.get("PATH")) for name in names if name)
    return next((path for path in found if path is not None), None)


def sandbox_flags() -> list[str]:
    """Return the flags without which root cannot run the browser."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


def take_picture(url: str, path: Path, *, width: int, height: int) -> None:
    """Write a PNG of a page.

    Raises:
        CommandError: If there is no browser, or it fails.
    """
    browser = find_browser(os.environ)
    if browser is None:
        raise CommandError(
            "--png",
            "no Chromium or Chrome was found",
            f"Install one (Debian and Ubuntu: apt install chromium), or name it in {BROWSER_VARIABLE}",
        )
    with tempfile.TemporaryDirectory(prefix="reprise-browser-") as folder:
        command = [
            browser,
            "--headless",
            *sandbox_flags(),
            *QUIET_FLAGS,
            f"--user-data-dir={folder}",
            f"--window-size={width},{height}",
            f"--virtual-time-budget={_SETTLE_MS}",
            f"--screenshot={path.resolve()}",
            url,
        ]
        try:
            done = subprocess.run(  # noqa: S603 - the reader's own browser
                command, capture_output=True, text=True, check=False, timeout=_LIMIT_S
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(
                "--png", f"{browser} gave no picture in {_LIMIT_S} s", "Try again"
            ) from error
    if done.returncode or not path.exists():
        raise CommandError(
            "--png", f"{browser} failed: {done.stderr[-300:].strip()}", "Try another browser"
        )
