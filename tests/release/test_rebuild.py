"""The packaged template of two builds, each with nothing of the other's."""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from reprise_release.release import BUILT_ADDONS, REPOSITORY, Release

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_what_is_built_again_elsewhere_is_the_same_bytes(release: Release, tmp_path: Path) -> None:
    tools = [str(REPOSITORY / part) for part in (".venv/bin", ".tools/uv/bin", ".tools/go/bin")]
    environment = os.environ | {
        "PATH": os.pathsep.join([*tools, os.environ["PATH"]]),
        "GOCACHE": str(tmp_path / "go"),
        "SAM_CLI_TELEMETRY": "0",
    }
    built = tmp_path / "sam"
    for name in ("", *BUILT_ADDONS):
        done = subprocess.run(
            [
                *(REPOSITORY / ".tools/sam/bin/sam", "build", "--no-cached"),
                *(("--config-env", name) if name else ()),
                *("--build-dir", built / name / "build"),
            ],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    again = Release(folder=tmp_path / "again" / "release", build=built)
    again.write_package()
    assert contents(again.package) == contents(release.package)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
