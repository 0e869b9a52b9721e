"""Mutate the core by a tool, one expression at a time, and score how much of that its own tests notice.

    make mutation                   every group of tests/mutation_score.toml
    make mutation ONLY=retry        one of them
    make mutation JOBS=2            two mutants at once

Not to be confused with `make mutants` (tests/mutate.py): that has a few mutations of the rules, written by
hand, and the simulation's seeds must catch them. Here mutmut makes as many as it can, and unit tests must.

A mutant that survives is listed in that file, with the reason why no test can tell it from the original, or
the run fails; so it does if a listed one does not survive any more, and if the score is below the least.
"""

# ruff: noqa: T201 - its output is the point

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
FILE: Final = Path(__file__).with_suffix(".toml")
LEAST_PERCENT: Final = 90.0
NOTICED: Final = frozenset({"killed", "timeout"})

Mutation = tuple[str, str, str]
"""Its function, and what of it was changed into what."""


@dataclass(slots=True)
class Score:
    """What became of one group's mutants."""

    counts: Counter[str] = field(default_factory=Counter)
    survivors: Counter[Mutation] = field(default_factory=Counter)

    @property
    def percent(self) -> float:
        """Return the share of mutants that were noticed; those that are listed count as not."""
        return 100 * sum(self.counts[status] for status in NOTICED) / self.counts.total()


def stage(folder: Path, group: dict[str, Any]) -> None:
    """Lay out what mutmut wants: the source in `src`, the tests, and the settings of both."""
    (folder / "src").symlink_to(ROOT / "shared")
    for name in ("tests", "docs"):
        (folder / name).symlink_to(ROOT / name)
    settings = {
        "source_paths": ["src"],
        "only_mutate": [f"src/reprise/{path}" for path in group["mutate"]],
        "also_copy": ["docs/explanation"],
        "pytest_add_cli_args_test_selection": group["tests"],
        # conftest.py and what it imports are loaded once, and run many times.
        "pytest_add_cli_args": ["-W", "ignore::pytest.PytestAssertRewriteWarning"],
        "track_dependencies": False,
        "use_git_change_detection": False,
    }
    # JSON's lists, texts and booleans are TOML's, too.
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    text = "\n".join([(ROOT / "pyproject.toml").read_text(), "[tool.mutmut]", *lines, ""])
    (folder / "pyproject.toml").write_text(text)


def run(folder: Path, jobs: int) -> None:
    """Let mutmut try every mutant; its examples are the same for each, so that a second run agrees."""
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "mutation", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(jobs)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"mutmut failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


def judge(folder: Path) -> Score:
    """Return the score that mutmut's own files tell."""
    from mutmut.stats import status_by_exit_code  # noqa: PLC0415 - in an environment of its own

    score = Score()
    os.chdir(folder)  # mutmut's paths begin there
    for file in sorted(Path("mutants").rglob("*.meta")):
        path = file.relative_to("mutants").with_suffix("")
        for key, code in json.loads(file.read_text())["exit_code_by_key"].items():
            status = status_by_exit_code[code]
            score.counts[status] += 1
            if status not in NOTICED:
                score.survivors[mutation_of(key, path)] += 1
    os.chdir(ROOT)
    return score


def mutation_of(key: str, path: Path) -> Mutation:
    """Return a mutant in a form that outlives changes elsewhere: mutmut numbers them."""
    from mutmut.mutation import diff_apply  # noqa: PLC0415 - as above
    from mutmut.utils import format_utils  # noqa: PLC0415 - as above

    name, class_name = format_utils.orig_function_and_class_names_from_key(key)
    module = ".".join(path.with_suffix("").parts[1:])
    where = ".".join(part for part in (module, class_name, name) if part)
    lines = diff_apply.get_diff_for_mutant(key, path=path).splitlines()[2:]
    was, now = (
        " ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in ("-", "+")
    )
    return where, was, now


def listed(group: str, entries: list[dict[str, Any]]) -> Counter[Mutation]:
    """Return the mutants that the file lists of a group."""
    return Counter(
        (f"reprise.{each['in']}", each["was"], now)
        for entry in entries
        if entry["group"] == group
        for each in entry["mutants"]
        for now in each["now"]
    )


def complaints(score: Score, known: Counter[Mutation]) -> list[str]:
    """Return what is wrong with a score."""
    wrong = [
        f"survives, and is not listed ({count}): {where}\n    - {was}\n    + {now}"
        for (where, was, now), count in (score.survivors - known).items()
    ]
    wrong += [
        f"is listed, and does not survive ({count}): {where}\n    - {was}\n    + {now}"
        for (where, was, now), count in (known - score.survivors).items()
    ]
    if score.percent < LEAST_PERCENT:
        wrong.append(
            f"{score.percent:.1f} % of the mutants are noticed, and {LEAST_PERCENT} must be"
        )
    return wrong


def main() -> int:
    """Return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    document = tomllib.loads(FILE.read_text())
    parser.add_argument("--only", default="", choices=["", *document["groups"]])
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    wrong: list[str] = []
    print(f"{'group':12}{'mutants':>9}{'killed':>9}{'timeout':>9}{'survived':>9}{'score':>9}")
    for name, group in document["groups"].items():
        if arguments.only not in ("", name):
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary).resolve()
            stage(folder, group)
            run(folder, arguments.jobs)
            score = judge(folder)
        total, survived = score.counts.total(), score.survivors.total()
        told = f"{total:9}{score.counts['killed']:9}{score.counts['timeout']:9}{survived:9}"
        print(f"{name:12}{told}{score.percent:8.1f}%", flush=True)
        wrong += complaints(score, listed(name, document.get("survivors", [])))
    print("\n".join(wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
