"""The wheel and the sdist of this tree, installed: each once for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from package.installation import ENGINE_PINS, PINS, PROJECT, ROOT, build, install

if TYPE_CHECKING:
    from pathlib import Path

    from package.installation import Installation


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("sdist"), "sdist")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installation:
    """Install the wheel alone, with the pinned versions of what it names."""
    folder = tmp_path_factory.mktemp("environment") / "library"
    return install(folder, "--constraint", PINS, f"reprise @ {wheel.as_uri()}")


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory, sdist: Path) -> Installation:
    """Install the sdist with its command, built on the way as whoever installs it builds it."""
    folder = tmp_path_factory.mktemp("environment") / "command"
    pins = ("--constraint", PINS, "--build-constraint", PINS)
    return install(folder, *pins, f"reprise[cli] @ {sdist.as_uri()}")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installation:
    """Install the wheel with what the local engine runs on, at the versions that it runs with here."""
    folder = tmp_path_factory.mktemp("environment") / "engine"
    return install(folder, "--constraint", ENGINE_PINS, f"reprise[local] @ {wheel.as_uri()}")


@pytest.fixture(scope="session")
def engine_alone(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Install the engine's own project, with nothing of the product."""
    wheel = build(ROOT / "local_engine", tmp_path_factory.mktemp("engine-wheel"), "wheel")
    folder = tmp_path_factory.mktemp("environment") / "engine-alone"
    named = f"reprise-local-engine @ {wheel.as_uri()}"
    return install(folder, "--constraint", ENGINE_PINS, named)


@pytest.fixture(scope="session")
def oldest(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installation:
    """Install the wheel with its command and the oldest release of each dependency that it allows."""
    folder = tmp_path_factory.mktemp("environment") / "oldest"
    named = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["cli"]]
    return install(
        folder, "--resolution", "lowest-direct", *named, f"reprise[cli] @ {wheel.as_uri()}"
    )
