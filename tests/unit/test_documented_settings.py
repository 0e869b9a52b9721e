"""What the pages name beside the command exists: make targets, SAM environments, parameters, variables."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from reprise_reference.environment import CALLERS, COMMAND
from reprise_reference.templates import read

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "skills").rglob("*.md"),
    )
    # What was said when it was decided stays as it was said.
    if "adr" not in path.parts
)
TEMPLATES: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        ROOT / "template.yaml",
        *ROOT.glob("addons/*/*.yaml"),
        *ROOT.glob("examples/*/*.yaml"),
    )
)


@cache
def parameters() -> set[str]:
    """Return the parameters of all templates, and what stands for any."""
    return {"NAME", *(name for each in TEMPLATES for name in read(each).get("Parameters", {}))}


def found(page: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (ROOT / page).read_text()))


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_exists(page: str) -> None:
    there = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert found(page, r"(?:`|^)make ([a-z][a-z-]+)\b") - there == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_environment_of_sam_exists(page: str) -> None:
    there = set(tomllib.loads((ROOT / "samconfig.toml").read_text()))
    assert found(page, r"--config-env ([a-z]+)") - there == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_parameter_that_is_given_is_one_of_a_template(page: str) -> None:
    given = found(page, r"--parameter-overrides((?:[ \\\n]+[A-Za-z]+=[^\s`]+)+)")
    assert {
        name for one in given for name in re.findall(r"(?:^|\s)([A-Za-z]+)=", one)
    } - parameters() == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_of_ours_is_in_the_reference(page: str) -> None:
    there = {*CALLERS, *COMMAND}
    assert found(page, r"\b(REPRISE_[A-Z]+(?:_[A-Z]+)*)\b") - there == set()


def test_there_is_something_to_find() -> None:
    assert found("README.md", r"`make ([a-z][a-z-]+)`") > {"docs"}
