"""The promise holds in every state of small worlds; `make explore` goes further."""

from __future__ import annotations

from functools import lru_cache

import pytest

from exploration.scenes import SMALL
from exploration.search import Explorer, Found, lines_of


@lru_cache
def found_in(name: str) -> Found:
    scene = next(scene for scene in SMALL if scene.name == name)
    return Explorer(scene.world()).run()


@pytest.mark.parametrize("name", [scene.name for scene in SMALL])
def test_nothing_is_broken_in_any_state(name: str) -> None:
    found = found_in(name)

    assert not found.broken, "\n".join(lines_of(found.trace))
    assert found.states > 500


def test_every_kind_of_disturbance_comes() -> None:
    assert {
        *("crash", "refused", "lost answer", "repeated", "failed", "throttled"),
        *("twice:", "deletes twin"),
    } <= set(found_in("one call").kinds)
