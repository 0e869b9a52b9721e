"""Explore: `python -m exploration`, with tests/ on PYTHONPATH (`make explore`); `--scene NAME` explores one.

It prints what is bounded, states and transitions, and what was checked; and a shortest trace of what is
broken.
"""

# ruff: noqa: T201 - its output is the point

from __future__ import annotations

import argparse
import logging
import sys
import time

from exploration.promise import INVARIANTS
from exploration.scenes import DEEP, SCENES, Scene
from exploration.search import Explorer, Found, lines_of

EVERY_S = 10.0


class Progress:
    """Tells now and then how far it is."""

    def __init__(self) -> None:
        self._told_s = time.monotonic()

    def __call__(self, found: Found, ahead: int) -> None:
        if time.monotonic() - self._told_s > EVERY_S:
            self._told_s = time.monotonic()
            print(
                f"  step {found.depth}: {found.states:,} states, {ahead:,} ahead",
                file=sys.stderr,
                flush=True,
            )


def explore(scene: Scene) -> Found:
    """Explore one scene, and tell of it."""
    print(f"{scene.name}: {scene.said()}", flush=True)
    started_s = time.process_time()
    found = Explorer(scene.world(), Progress()).run()
    took_s = time.process_time() - started_s
    print(
        f"  {found.states:,} states, {found.transitions:,} transitions, {found.depth} steps deep, "
        f"{took_s:.0f} s of CPU; chance that two states share a hash: {found.states**2 / 2**65:.0e}"
    )
    kinds = sorted((kind, times) for kind, times in found.kinds.items() if kind)
    print("  " + ", ".join(f"{kind} {times:,}" for kind, times in kinds))
    return found


def main() -> int:
    """Return 1 if something is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", choices=[scene.name for scene in (*SCENES, *DEEP)])
    wanted = parser.parse_args().scene
    logging.disable(logging.CRITICAL)
    all_found: list[Found] = []
    scenes = [scene for scene in (*SCENES, *DEEP) if scene.name == wanted] or SCENES
    for scene in scenes:
        found = explore(scene)
        all_found.append(found)
        if found.broken:
            print(f"  broken: {found.broken}", *lines_of(found.trace), sep="\n    ")
            return 1
    states = sum(found.states for found in all_found)
    transitions = sum(found.transitions for found in all_found)
    print(
        f"in all {states:,} states, {transitions:,} transitions, each state on to the end of all calls"
    )
    print("checked, with nothing broken:", *INVARIANTS, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
