"""Replay what coverage-guided fuzzing found worth keeping (`make fuzz`, tests/fuzz)."""

from __future__ import annotations

from pathlib import Path

import pytest

from reader_check import check
from reprise.logreader import member as inflater

CORPUS = Path(__file__).parents[2] / "fuzz" / "reader_corpus"
MAX_BYTES = 200_000


@pytest.mark.parametrize("library", ["the fastest", "zlib"])
def test_every_input_of_the_corpus_is_read_as_all_are(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if library == "zlib":
        monkeypatch.setattr(inflater, "new_inflater", inflater.with_zlib)
    inputs = sorted(CORPUS.iterdir())
    assert len(inputs) > 50
    for path in inputs:
        check(path.read_bytes())


def test_the_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.iterdir()) < MAX_BYTES
