"""Words: one name for one thing, and the field's rather than ours."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = (
    *("shared/reprise", "shared/reprise_batch", "shared/reprise_schedules"),
    *("cli/reprise_cli", "cli/reprise_schedules_cli"),
)
GONE: Final = {
    "Herald": "EventPublisher",
    "Meeting": "Sample",
    "Visit": "GateSession",
    "GateImage": "GateState",
    "Lane": "PermitWorker",
    "Verdict": "Disposition",
    "Ended": "Ack",
    "GiveBack": "Nack",
    "Settler": "Finisher",
    "Settlement": "PendingUpdate",
    "Standing": "AttemptCounts, CallState",
    "BacklogKeeper": "ExpansionController",
    "Keeper": "ObjectWriter",
    "Piece": "Slice",
    "Sorter": "Partitioner",
    "Intake": "CaptureConsumer",
    "AcceptStage": "RecordValidator",
    "EnterStage": "Enqueuer",
    "ParkStage": "Deferrer",
    "UnpackStage": "Unpacker",
    "ReplayStage": "Replayer",
    "AttemptStage": "AttemptRunner",
    "CallStage": "CallInvoker",
    "StatusStage": "StatusReader",
    "RunStage": "JobRunner",
    "WarmStage": "Warmer",
    "Trusted": "Verifier",
    "Foreign": "UnknownLine",
    "Death": "DeadLetterDetail",
    "Book": "BacklogCounters",
    "Books": "CounterStore, EvidenceReader",
    "Bookkeeper": "CounterPublisher",
    "Observer": "Monitor",
    "Past": "Snapshot",
    "Memories": "MonitorStates",
    "Scene": "IncidentContext",
    "Places": "Links",
    "LastValue": "MetricKey",
    "Pace": "FlushInterval",
    "GateMemory": "LocalGate",
    "WatchedGates": "RecordingGates",
    "GateLog": "TransitionLog",
    "TargetKinds": "InvokerRouter",
    "Kind": "TargetType",
    "Tally": "Samples",
    "StackWatch": "StackInspector",
    "Due": "RunRequest",
    "Over": "AlreadyDone",
    "Followers": "RunResolver",
    "Wishes": "ChaosOptions",
    "Quarry": "TargetUnderTest",
    "LetterBox": "DeadLetterQueue",
    "Spread": "Percentiles",
}
"""Words of our own that the field's took the place of."""


def _classes() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_every_public_class_name_stands_for_one_thing() -> None:
    assert {name: paths for name, paths in _classes().items() if len(paths) > 1} == {}


def test_no_name_comes_back_that_the_fields_word_replaced() -> None:
    assert set(_classes()) & set(GONE) == set()


def test_the_glossary_has_no_word_twice() -> None:
    rows = (ROOT / "docs" / "glossary.md").read_text().splitlines()[6:]
    words = [word.strip() for row in rows for word in row.split("|")[1].split(",")]
    assert sorted(words) == sorted(set(words))
    assert len(words) > 60


FIELDS_GONE: Final = {
    "make_call_stage": "make_invoker",
    "next_run_state": "transition",
    "enterer": "enqueuer",
    "parker": "deferrer",
    "books": "counters",
    "_books": "_accounting",
    "places": "links",
    "watch": "inspector",
    "look": "check",
    "_observer": "_monitor",
    "_stage": "_invoker, _runner",
    "stage": "unpacker",
}
"""The same of functions, parameters and fields, in the layer and the functions."""


def test_no_parameter_or_field_comes_back_that_the_fields_word_replaced() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for folder in ("shared", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                for part in ("name", "arg", "id", "attr"):
                    found[str(getattr(node, part, ""))].add(path.name)
    assert {name: found[name] for name in FIELDS_GONE if name in found} == {}
