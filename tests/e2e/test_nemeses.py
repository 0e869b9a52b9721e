"""The deployed pipeline under nemeses, judged from its history alone; `make nemeses` runs each by itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reprise_cli.app import App
from reprise_cli.chaos.nemeses import NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.world import World

CALLS = int(os.environ.get("REPRISE_NEMESIS_CALLS", "0"))
"""Of each nemesis by itself; 0 runs several at once."""
ALONE = ("stop-logs", "change-concurrency")
"""The others would meet nothing: no line arrives, or most calls are answered directly."""
TOGETHER = (",".join(name for name in NAMES if name not in ALONE), ",".join(ALONE))


def test_what_only_the_engine_can_do_is_refused_to_whoever_does_not_own_it(
    world: World, tmp_path: Path
) -> None:
    # To the command this engine is none: it has the key, and nothing that controls it.
    history = tmp_path / "history.jsonl"
    done = world.look("chaos", "--nemesis", "change-concurrency,kill", "--history", str(history))
    assert done.code == 2
    assert "kill is for the local engine only" in done.stderr
    assert not history.exists()


@pytest.mark.slow
@pytest.mark.parametrize("names", NAMES if CALLS else TOGETHER)
def test_what_is_disturbed_loses_nothing_and_runs_nothing_twice(
    world: World, guest: str, names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The command finds the engine of the repository; this one is the test's.
    monkeypatch.setattr(App, "engine", world.engine)
    history = tmp_path / "history.jsonl"
    done = world.look(
        *("chaos", "--json", "--hold", "30s" if CALLS else "15s", "--concurrency", "8", "--drain"),
        # So that replays are met in the middle, too.
        *("--work-ms", "100"),
        *("--calls", str(CALLS or 200), "--nemesis", names, "--history", str(history)),
        *("--target", guest, "--receipts-table", str(world.stack.receipts_table)),
    )
    print(names, done.stdout)  # noqa: T201 - what the long run found is its point
    assert done.code == 0, done.stdout + done.stderr
    found = done.document["history"]
    # Whatever met nothing would have shown nothing.
    assert all(found["faults"][name] for name in names.split(","))
    for kind in ("lost", "executed_twice", "fake_successes", "waited_too_long", "contradictions"):
        assert found[kind] == 0
    again = world.look("chaos", "--json", "--check", str(history))
    assert (again.code, again.document) == (0, found)
    assert world.admin("GET", "faults") == {"faults": []}
    assert world.admin("GET", "log-path")["is_stopped"] is False
    assert world.admin("GET", "deliveries")["again"] == 0
    assert world.admin("GET", "clocks")["skew_s"] == 0
