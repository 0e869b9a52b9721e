"""Build this tree, and install what was built into clean environments, with nothing but what it names."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_UV: Final = ROOT / ".tools" / "uv" / "bin" / "uv"
PINS: Final = ROOT / "requirements" / "dev.txt"
ENGINE_PINS: Final = ROOT / "requirements" / "engine.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An environment of its own, away from this tree."""

    folder: Path

    @property
    def python(self) -> Path:
        """Return its interpreter."""
        return self.folder / "bin" / "python"

    def run(
        self, program: str, *arguments: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, which sees nothing of this tree and of nobody's settings."""
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=self.folder,
            env={"PATH": os.defpath, "HOME": str(self.folder)} | (env or {}),
            capture_output=True,
            text=True,
            check=False,
        )


def build(source: Path, target: Path, kind: str) -> Path:
    """Return the wheel or the sdist of a tree, made by the pinned build tool."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", target],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return next(target.glob({"wheel": "*.whl", "sdist": "*.tar.gz"}[kind]))


def install(folder: Path, *arguments: str | Path) -> Installation:
    """Return a new environment with these requirements, each as uv's own `pip install` takes it."""
    made = Installation(folder=folder)
    quiet = ("--quiet", "--python")
    subprocess.run([_UV, "venv", *quiet, sys.executable, folder], check=True)
    done = subprocess.run(
        [_UV, "pip", "install", *quiet, made.python, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made
