"""Read an object for as long as there is time, and say so when there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.errors import SlowObjectError
from reprise.reader import read_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reprise.reader import Item
    from reprise.stage.notification import ObjectRef

LATE_MS: Final = 20_000
"""Time that is kept to hand over what was read; more than the reader ever takes for one step."""


def no_hurry() -> int:
    """Return more milliseconds than any reading takes."""
    return 1 << 40


def read_in_time(
    ref: ObjectRef, chunks: Iterable[bytes], remaining_ms: Callable[[], int]
) -> Iterator[tuple[int, Item]]:
    """Yield an object's items from its `skip` on, each with its position.

    Args:
        ref: The object.
        chunks: Its bytes.
        remaining_ms: Milliseconds until this process is stopped. Whoever begins with less than `LATE_MS`
            is not to blame for it: then nothing is raised.

    Raises:
        SlowObjectError: If no time is left, be it for what an earlier run has dealt with.
    """
    has_begun_in_time = remaining_ms() >= LATE_MS

    def check() -> None:
        if has_begun_in_time and remaining_ms() < LATE_MS:
            raise SlowObjectError(ref.url, ref.skip)

    def checked() -> Iterator[bytes]:
        for chunk in chunks:
            check()
            yield chunk

    for position, item in enumerate(read_events(checked())):
        check()
        if position >= ref.skip:
            yield position, item
