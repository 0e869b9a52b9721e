from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reprise_cli.exits import CommandError
from reprise_cli.page.browser import find_browser, take_picture

if TYPE_CHECKING:
    from pathlib import Path


def make_program(path: Path, script: str = "exit 0") -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_browser_is_found_by_its_usual_names_or_by_the_one_given(tmp_path: Path) -> None:
    assert find_browser({"PATH": str(tmp_path)}) is None
    usual = make_program(tmp_path / "chromium-browser")
    assert find_browser({"PATH": str(tmp_path)}) == usual
    own = make_program(tmp_path / "my-browser")
    assert find_browser({"PATH": str(tmp_path), "REPRISE_BROWSER": own}) == own


def test_without_a_browser_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="apt install chromium"):
        take_picture("http://127.0.0.1/", tmp_path / "x.png", width=100, height=100)


def test_a_browser_that_fails_is_told_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRISE_BROWSER", make_program(tmp_path / "b", "echo sorry >&2; exit 3"))
    with pytest.raises(CommandError, match="failed: sorry"):
        take_picture("http://127.0.0.1/", tmp_path / "x.png", width=100, height=100)
