"""What `make mutation` reads, and what it complains of; the mutants themselves take an hour."""

from __future__ import annotations

import tomllib
from collections import Counter
from itertools import chain

import pytest

from mutation_score import FILE, ROOT, Score, complaints, listed

DOCUMENT = tomllib.loads(FILE.read_text())
GROUPS = DOCUMENT["groups"]
CORE = ROOT / "shared" / "reprise"
KNOWN = ("reprise.retry.x", "a", "b")


def _files(group: str) -> list[str]:
    return [
        str(path.relative_to(CORE))
        for pattern in GROUPS[group]["mutate"]
        for path in CORE.glob(pattern)
        if path.suffix == ".py"
    ]


def test_every_file_of_the_core_is_mutated_in_one_group() -> None:
    files = Counter(chain.from_iterable(_files(group) for group in GROUPS))
    assert set(files.values()) == {1}
    whole = [path for folder in ("gate", "retry") for path in (CORE / folder).glob("*.py")]
    without_code = {"gate/__init__.py", "gate/parameters.py"}
    wanted = {str(path.relative_to(CORE)) for path in whole} - without_code
    assert set(files) >= wanted | {"ledger.py", "capturing/signature.py"}


@pytest.mark.parametrize("group", GROUPS)
def test_a_groups_tests_exist(group: str) -> None:
    assert all((ROOT / test).exists() for test in GROUPS[group]["tests"])


@pytest.mark.parametrize("entry", DOCUMENT["survivors"], ids=lambda entry: entry["why"])
def test_a_survivor_is_of_a_group_and_a_line_of_the_source(entry: dict[str, object]) -> None:
    sources = "".join((CORE / file).read_text() for file in _files(str(entry["group"])))
    assert entry["why"]
    for _, was, _ in listed(str(entry["group"]), [entry]):
        assert was in sources


def _score(killed: int, survivors: Counter[tuple[str, str, str]]) -> Score:
    counts = Counter(killed=killed, survived=survivors.total())
    return Score(counts=counts, survivors=survivors)


def test_a_survivor_must_be_listed_as_often_as_it_survives_and_no_oftener() -> None:
    for found, known, word in [
        (1, 1, None),
        (1, 0, "not listed"),
        (0, 1, "does not"),
        (2, 1, "(1)"),
    ]:
        score = _score(99, Counter({KNOWN: found}))
        wrong = complaints(score, Counter({KNOWN: known}))
        assert [word in each for each in wrong if word] == ([True] if word else [])


def test_a_score_below_the_least_is_too_low_though_all_survivors_are_listed() -> None:
    for survived, words in [
        (10, []),
        (11, ["89.0 % of the mutants are noticed, and 90.0 must be"]),
    ]:
        survivors = Counter({KNOWN: survived})
        assert complaints(_score(100 - survived, survivors), survivors) == words
