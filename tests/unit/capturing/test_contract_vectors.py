from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from contract_vectors import ARN, KEYS, VECTORS, make, text_of
from reprise.capturing.line import Verifier, read_line

if TYPE_CHECKING:
    from reprise.capturing.signature import MacKeys

TARGETS = (ARN + "*",)


class OneSource:
    """The keys of the vectors' source."""

    def keys(self) -> MacKeys:
        """Return them."""
        return KEYS

    def find(self, key_id: str) -> MacKeys:
        """Return them, whoever is asked for."""
        assert key_id.startswith("web-shop/")
        return KEYS


def test_this_package_writes_what_both_implementations_are_held_to() -> None:
    """Another text would make lines of one of them unreadable to the other."""
    assert VECTORS.read_text() == text_of(make())


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_reader_trusts_the_lines_of_the_vectors(number: int) -> None:
    vector = json.loads(VECTORS.read_text())["lines"][number]
    record = read_line(vector["line"], Verifier(keys=OneSource(), targets=TARGETS))
    assert record is not None
    assert record.id == vector["record"]["id"]
