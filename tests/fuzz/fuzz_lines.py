"""Fuzz the trust in capture lines, guided by coverage: `make fuzz-lines` (FUZZ_S=3600 seconds, or as told).

Whatever the line, what the unpacker sends for replay is what a holder of a right has signed, as
tests/line_judge.py decides. What it finds is written beside the corpus; put the file into
tests/fuzz/lines_corpus, which tests/unit/unpack/test_forged.py replays.
"""

from __future__ import annotations

import logging
import sys

import atheris

with atheris.instrument_imports(
    include=["reprise.capturing", "reprise.unpack.validate", "reprise.call"]
):
    from line_fuzz import check, mutate


@atheris.instrument_func  # type: ignore[untyped-decorator]
def one(data: bytes) -> None:
    """Try one input."""
    check(data)


def mutator(data: bytes, max_size: int, seed: int) -> bytes:
    """Change an input."""
    return mutate(data, max_size, seed, atheris.Mutate)


if __name__ == "__main__":
    logging.disable()
    atheris.Setup(sys.argv, one, custom_mutator=mutator)
    atheris.Fuzz()
