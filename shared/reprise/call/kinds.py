"""The kinds of targets: one file each, named in one tuple.

A third kind is a file that holds a `Kind`, and its name in `KINDS`; nothing else asks what a target is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.batch.submit import BATCH
from reprise.call.target_type import FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise.call.target_type import Kind

KINDS: Final[tuple[Kind, ...]] = (FUNCTION, BATCH)


def kind_of(target: str, kinds: Iterable[Kind] = KINDS) -> Kind | None:
    """Return the kind that an ARN is of; None if we know none."""
    return next((kind for kind in kinds if kind.arn.fullmatch(target)), None)
