"""Nothing forged is invoked: lines of every kind, drawn by seed, and what coverage-guided fuzzing kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

import line_judge as judge
from forged_lines import REPEATS, Forger
from forgeries import FORGERIES
from line_fuzz import check, mutate
from line_work import make_pipeline, run
from reprise.capturing import line as capture_line
from reprise.capturing.signature import MacKeys
from reprise.unpack.validate import RecordValidator

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).parents[2] / "fuzz" / "lines_corpus"
MAX_BYTES = 400_000


@pytest.mark.parametrize("seed", [1, 2])
def test_of_thousands_of_forged_lines_none_is_invoked_and_each_genuine_one_is_once(
    seed: int,
) -> None:
    tally = run(2000, seed)
    assert tally.forged == []
    assert tally.invoked == tally.genuine > 0
    assert all(tally.put[kind] > 0 for kind in [*FORGERIES, *REPEATS])


def _nothing(*_: object, **__: object) -> None:
    """Check nothing."""


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(
            lambda patch: patch.setattr(MacKeys, "verify", _nothing), id="no MAC is verified"
        ),
        pytest.param(
            lambda patch: patch.setattr(capture_line, "may_sign", lambda *_: True),
            id="every source may sign for all",
        ),
        pytest.param(
            lambda patch: patch.setattr(capture_line, "check_id", _nothing), id="any id is believed"
        ),
        pytest.param(
            lambda patch: patch.setattr(RecordValidator, "_check_origin", _nothing),
            id="lines from anywhere are taken",
        ),
    ],
)
def test_a_check_that_is_left_out_is_noticed(
    break_it: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it(monkeypatch)
    assert run(600, 1).forged != []


def test_the_judge_and_the_pipeline_agree_on_what_is_genuine() -> None:
    """Two implementations of one signature: the judge's MAC is the product's."""
    record = Forger(Random(1)).record("invoker", judge.ORDERS)
    signed = judge.sign(record, "invoker/k2", judge.CURRENT["invoker/k2"])
    keys = make_pipeline().keys.find("invoker/k2")
    assert signed["mac"]["value"] == keys.sign(record).value
    assert judge.objection(signed) is None
    assert judge.objection(signed | {"trace": "Root=1"}) is not None


def test_every_line_of_the_corpus_is_replayed_only_if_a_holder_of_a_right_signed_it() -> None:
    inputs = sorted(CORPUS.iterdir())
    assert len(inputs) > 50
    for path in inputs:
        check(path.read_bytes())


def test_the_corpus_of_lines_stays_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.iterdir()) < MAX_BYTES


def test_a_mutation_is_signed_anew_now_and_then() -> None:
    """Only so does the fuzzer get past the MAC."""
    line = json.dumps(
        judge.sign(Forger(Random(1)).record("invoker", judge.ORDERS), "k1", "any key")
    )
    mutated = [mutate(line.encode(), 1 << 14, seed, lambda data, _: data) for seed in range(200)]
    macs = {mac for each in mutated for mac in re.findall(rb'"value":"([0-9a-f]{64})"', each)}
    assert len(macs) > 20
