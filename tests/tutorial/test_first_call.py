"""The tutorial, as it stands: each of its commands, in one shell, on an engine of its own."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from local_engine.control import Engine
from reprise_cli.deploy import REPOSITORY
from reprise_cli.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

TUTORIAL: Final = REPOSITORY / "docs" / "tutorial" / "first-call.md"
TOOLS: Final = (".venv/bin", ".tools/sam/bin", ".tools/uv/bin", ".tools/go/bin")
"""As the page's first step puts them on the PATH."""
LIMIT_S: Final = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A line that was typed, and what came of it."""

    line: str
    code: int
    said: str


def commands() -> list[str]:
    """Return the lines that a reader types after the set-up."""
    blocks = re.findall(r"^```bash\n(.*?)^```", TUTORIAL.read_text(), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def no_engine() -> Iterator[None]:
    """Hold that the checkout's own engine does not run, and leave none."""
    assert Engine().health() is None, "an engine of this checkout runs: reprise local down"
    yield
    Engine().stop()


def typed(lines: list[str]) -> list[Typed]:
    """Type the lines into one shell, and return what came of each."""
    # What ends otherwise than well or captured ends all: the next lines could but wait for it.
    after = "code=$?; printf '\\n@@%d@@\\n' $code; [ $code = 0 ] || [ $code = 3 ] || exit"
    script = "\n".join(f"{line}\n{after}" for line in lines)
    path = os.pathsep.join([*(str(REPOSITORY / each) for each in TOOLS), os.environ["PATH"]])
    aws = {name for name in os.environ if name.startswith(("AWS_", "REPRISE_"))}
    env = {name: value for name, value in os.environ.items() if name not in aws}
    done = subprocess.run(
        ["bash", "-c", script],  # noqa: S607 - the reader's own
        cwd=REPOSITORY,
        env={**env, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    parts = re.split(r"\n@@(\d+)@@\n", done.stdout)
    return [
        Typed(line=line, code=int(code), said=said)
        for line, said, code in zip(lines, parts[0::2], parts[1::2], strict=False)
    ]


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.usefixtures("no_engine")
def test_each_command_of_the_tutorial_does_what_it_says() -> None:
    lines = commands()
    found = typed(lines)
    assert [each.line for each in found] == lines, found[-1:]
    kept = next(each for each in found if "--idempotency-key" in each.line)
    assert kept.code == ExitCode.CAPTURED, kept.said
    wrong = [each for each in found if each is not kept and each.code != ExitCode.OK]
    assert wrong == []
    (waited,) = (each for each in found if each.line.startswith("reprise wait"))
    assert '"run": "tutorial"' in waited.said
    repeated = [each for each in found if "--idempotency-key" in each.line][-1]
    assert "late" in repeated.said
