"""Fuzz the reader, guided by coverage: `make fuzz` (FUZZ_S=3600 seconds, unless told otherwise).

Whatever the bytes, reading must end without an exception, account for every byte of every layer, count
what it yields, and not depend on how the object is cut into chunks. What it finds is written beside the
corpus; put the file into tests/fuzz/reader_corpus, which tests/unit/logreader/test_corpus.py replays.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["reprise.logreader"]):
    import reprise.logreader

from reader_check import check, mutate

del reprise


@atheris.instrument_func  # type: ignore[untyped-decorator]
def one(data: bytes) -> None:
    """Try one input."""
    check(data)


def mutator(data: bytes, max_size: int, seed: int) -> bytes:
    """Change an input."""
    return mutate(data, max_size, seed, atheris.Mutate)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one, custom_mutator=mutator)
    atheris.Fuzz()
