"""The whole release, of what `sam build` and hatchling made."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from reprise.version import __version__
from reprise_release.archive import checksums, pack
from reprise_release.cdk import ConstructPackages
from reprise_release.notes import release_notes
from reprise_release.samconfig import samconfig
from reprise_release.sbom import bill_of_materials
from reprise_release.templates import TemplatePackage

REPOSITORY: Final = Path(__file__).resolve().parents[3]
BUILD: Final = REPOSITORY / ".aws-sam"
DIST: Final = REPOSITORY / "dist" / "release"
ARCHITECTURES: Final = ("x86_64", "arm64")
BUILT_ADDONS: Final = ("schedules", "endpoint", "replies")
_NOT_OURS: Final = shutil.ignore_patterns(".terraform*", "*.tfstate*")
#: Of the Serverless Application Repository; names and limits by the SAM developer guide, "AWS SAM template
#: Metadata section properties".
CATALOGUE: Final[dict[str, Any]] = {
    "Name": "reprise",
    "Description": "Keeps synchronous Lambda calls that were refused or failed, and replays them.",
    "Author": "The Reprise maintainers",
    "SpdxLicenseId": "Apache-2.0",
    "LicenseUrl": "LICENSE",
    "ReadmeUrl": "README.md",
    "Labels": ["lambda", "throttling", "retry", "replay", "dead-letter"],
    "SemanticVersion": __version__,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release, made in one folder."""

    folder: Path = DIST
    build: Path = BUILD
    """Where `sam build` builds: `build` of the root, `NAME/build` of the add-ons."""
    tools: Path | None = None
    """Where what builds the construct for CDK is installed; without, there is none in the release."""
    version: str = __version__

    @property
    def package(self) -> Path:
        """The folder of the packaged template, which its zip holds as it is."""
        return self.folder.parent / f"reprise-{self.version}"

    def write(self) -> None:
        """Write every file of the release, and their checksums."""
        _empty(self.folder)
        self.write_package()
        pack(self.package, self._file("template", ".zip"), under=f"reprise-{self.version}/")
        shutil.copyfile(self.package / "layer.zip", self._file("layer", ".zip"))
        for architecture in ARCHITECTURES:
            name = f"endpoint-{architecture}.zip"
            shutil.copyfile(
                self.package / name, self._file(f"endpoint-layer-{architecture}", ".zip")
            )
            layer = "EndpointX86Layer" if architecture == "x86_64" else "EndpointArmLayer"
            program = self.build / "endpoint" / "build" / layer / "extensions" / "reprise"
            shutil.copy(program, self._file(f"endpoint-linux-{architecture}", ""))
        self._write_terraform()
        self._write_construct()
        self._write_distributions()
        bill = bill_of_materials(REPOSITORY, self.version)
        self._file("sbom", ".cdx.json").write_text(json.dumps(bill, indent=1) + "\n")
        changelog = (REPOSITORY / "CHANGELOG.md").read_text()
        (self.folder / "RELEASE_NOTES.md").write_text(release_notes(changelog, self.version))
        (self.folder / "SHA256SUMS").write_text(checksums(self.folder.iterdir()))

    def write_package(self) -> None:
        """Write the packaged template."""
        _empty(self.package)
        made = TemplatePackage(folder=self.package)
        catalogue = {"AWS::ServerlessRepo::Application": CATALOGUE}
        made.add(self.build / "build" / "template.yaml", "template", catalogue)
        for name in BUILT_ADDONS:
            made.add(self.build / name / "build" / "template.yaml", name)
        # Nothing of it is built.
        made.add(REPOSITORY / "addons" / "batch" / "template.yaml", "batch")
        (self.package / "samconfig.toml").write_text(samconfig(REPOSITORY))
        for name in ("LICENSE", "README.md"):
            shutil.copyfile(REPOSITORY / name, self.package / name)

    def _write_terraform(self) -> None:
        with TemporaryDirectory() as folder:
            module = Path(folder) / "module"
            shutil.copytree(REPOSITORY / "infra" / "terraform", module, ignore=_NOT_OURS)
            shutil.copytree(self.package, module / "package")
            pack(
                module,
                self._file("terraform", ".zip"),
                under=f"reprise-{self.version}-terraform/",
            )

    def _write_construct(self) -> None:
        if self.tools is None:
            return
        made = ConstructPackages(repository=REPOSITORY, tools=self.tools, version=self.version)
        with TemporaryDirectory() as folder:
            made.write(self.package, self.folder, Path(folder))

    def _write_distributions(self) -> None:
        for target in ("wheel", "sdist"):
            subprocess.run(  # noqa: S603 - our own tool and arguments
                [
                    sys.executable,
                    "-m",
                    "hatchling",
                    "build",
                    "--target",
                    target,
                    "--directory",
                    self.folder,
                ],
                cwd=REPOSITORY,
                check=True,
                capture_output=True,
            )

    def _file(self, part: str, ending: str) -> Path:
        return self.folder / f"reprise-{self.version}-{part}{ending}"


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
