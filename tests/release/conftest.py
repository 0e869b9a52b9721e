"""The release of what is built in this checkout, written once for all of these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reprise_release.release import BUILD, Release

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    assert (BUILD / "replies" / "build" / "template.yaml").exists(), "run `make build`"
    made = Release(folder=tmp_path_factory.mktemp("dist") / "release")
    made.write()
    return made


@pytest.fixture(scope="session")
def package(release: Release) -> Path:
    return release.package
