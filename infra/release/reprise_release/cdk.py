"""The construct for CDK as packages, of the one source in infra/cdk: for npm, and by jsii for Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_SOURCES: Final = ("package.json", "README.md", "src")
_EPOCH: Final = "315532800"
"""1980-01-01, the first instant that a wheel can name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstructPackages:
    """Builds both, with the packaged template inside."""

    repository: Path
    tools: Path
    """Where `make .tools/cdk/.stamp .tools/cdk-js/.stamp` installs what builds them."""
    version: str

    def write(self, package: Path, folder: Path, work: Path) -> None:
        """Write the npm package and the wheel.

        Args:
            package: Folder of the packaged template.
            folder: Where the packages go.
            work: An empty folder to build in.
        """
        source = self.repository / "infra" / "cdk"
        for name in _SOURCES:
            path = source / name
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, work / name)
        shutil.copyfile(self.repository / "LICENSE", work / "LICENSE")
        shutil.copytree(package, work / "package")
        manifest = work / "package.json"
        manifest.write_text(
            json.dumps({**json.loads(manifest.read_text()), "version": self.version}, indent=2)
        )
        modules = self.tools / "cdk-js" / "node_modules"
        (work / "node_modules").symlink_to(modules)
        programs = modules / ".bin"
        self._run(work, programs / "jsii", "--silence-warnings=reserved-word")
        self._run(work, programs / "jsii-pacmak", "--code-only", "--targets", "js", "python")
        [built] = (work / "dist" / "js").glob("*.tgz")
        shutil.copyfile(built, folder / f"reprise-cdk-{self.version}.tgz")
        uv = self.tools / "uv" / "bin" / "uv"
        python = self.tools / "cdk" / "bin" / "python"
        options = ("--wheel", "--no-build-isolation", "--quiet", "--python", python)
        self._run(work, uv, "build", *options, "--out-dir", folder, work / "dist" / "python")
        (folder / ".gitignore").unlink(missing_ok=True)

    def _run(self, work: Path, *command: str | Path) -> None:
        environment = os.environ | {
            "SOURCE_DATE_EPOCH": _EPOCH,
            "npm_config_offline": "true",
        }
        done = subprocess.run(  # noqa: S603 - our own tools and arguments
            command, cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            message = f"{command[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}"
            raise RuntimeError(message)
