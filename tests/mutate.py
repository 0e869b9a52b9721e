"""Run the promise's seeds against mutations of the rules, and print which seed catches each.

    python tests/mutate.py                    all of tests/mutants.py, on two cores
    python tests/mutate.py --only renew       those with a word in their name
    python tests/mutate.py --seeds 0-900      more seeds than `make test` has

Each mutation is a text that must occur exactly once, replaced in a copy of the source; the seeds run on the
copy in a process of their own, and end at the first that fails. The exit status is 1 if one survives, or does
not apply any more.
"""

# ruff: noqa: T201 - its output is the point

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from mutants import MUTANTS, Mutant

ROOT: Final = Path(__file__).parents[1]
FOLDERS: Final = ("shared", "functions", "cli", "tests")
TIMEOUT_S: Final = 900


class Copy:
    """A copy of the source that one mutation after the other is made in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in FOLDERS:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)

    def run(self, seeds: str, *, but: str) -> tuple[bool, str]:
        """Run the seeds; return whether all passed, and the first line of what did not."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(self.folder / name) for name in FOLDERS),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "simulation", "--stop", "--jobs", "1"]
        command += ["--seeds", seeds, "--but", but]
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False, "it hangs"
        lines = [*done.stdout.splitlines(), *done.stderr.splitlines()[-1:], ""]
        return done.returncode == 0, lines[0]

    def mutated(self, mutant: Mutant, seeds: str, *, but: str) -> tuple[bool | None, str]:
        """Run the seeds against a mutation; None if it does not apply."""
        path = self.folder / mutant.file
        text = path.read_text() if path.exists() else ""
        if text.count(mutant.old) != 1:
            return None, f"its text occurs {text.count(mutant.old)} times in {mutant.file}"
        path.write_text(text.replace(mutant.old, mutant.new))
        try:
            return self.run(seeds, but=but)
        finally:
            path.write_text(text)


def main() -> int:
    """Return 1 if a mutation survives."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="0-750")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="a word in the name")
    parser.add_argument("--but", default="", help="kinds of violations that do not count")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if arguments.only in mutant.name]
    bad: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(arguments.jobs):
            copies.put(Copy(Path(folder) / str(number)))
        first = copies.get()
        passed, why = first.run(arguments.seeds, but=arguments.but)
        copies.put(first)
        if not passed:
            print(f"without any mutation the seeds fail: {why}")
            return 1

        def judge(mutant: Mutant) -> None:
            copy, started_s = copies.get(), time.monotonic()
            survived, what = copy.mutated(mutant, arguments.seeds, but=arguments.but)
            copies.put(copy)
            verdict = {True: "SURVIVED", False: "caught", None: "DOES NOT APPLY"}[survived]
            if survived is not False:
                bad.append(mutant.name)
            took_s = time.monotonic() - started_s
            said = "" if survived else what[:110]
            print(f"{verdict:9} {took_s:5.1f} s  {mutant.name:75} {said}", flush=True)

        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(judge, chosen))
    print(f"{len(chosen) - len(bad)} of {len(chosen)} mutations caught")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
