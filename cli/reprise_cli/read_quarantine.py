"""Keep what `reprise read` cannot read in a folder, in the form that the pipeline keeps it in S3."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path, PurePosixPath
from typing import Final

from reprise.call.payload import ClaimCheck
from reprise.quarantine import PREFIX, Quarantine
from reprise_cli.exits import CommandError

_MAX_STEP_BYTES: Final = 255
"""NAME_MAX of Linux and macOS."""
_SHORT: Final = 48
"""Characters that are left of a longer step: of four bytes at most, and a digest after them."""
_UNSAFE: Final = re.compile("[\0\ud800-\udfff]")


class _Folder:
    """Writes objects as files; what the quarantine needs of a bucket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep bytes under a key."""
        steps = PurePosixPath(key.removeprefix(PREFIX)).parts
        # A path of the reader's machine must not lead out of the folder.
        inside = (step for step in steps if step not in {"/", "..", "."})
        path = self._folder.joinpath(*map(_file_name, inside))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            step = "Name a folder that can be written"
            raise CommandError("--quarantine", f"{path}: {error.strerror}", step) from error
        return ClaimCheck(bucket=str(self._folder), key=key)


def _file_name(step: str) -> str:
    """Return a step of a key as a file's name; one that can be none is told apart by its digest."""
    data = step.encode("utf-8", "surrogatepass")
    if len(data) <= _MAX_STEP_BYTES and not _UNSAFE.search(step):
        return step
    return f"{_UNSAFE.sub('_', step)[:_SHORT]}-{hashlib.sha256(data).hexdigest()[:16]}"


class _NoMeter:
    """Counts nothing: the command has its own tally."""

    def count(self, name: str, value: int = 1, **dimensions: str | None) -> None:
        """Count nothing."""

    def observe(self, name: str, value: float, **dimensions: str | None) -> None:
        """Keep nothing."""


def quarantine_in(folder: Path, source: str) -> Quarantine:
    """Return where one source's unreadable parts go, all of them: JSON lines below a folder."""
    return Quarantine(source, _Folder(folder), _NoMeter(), most_bytes=math.inf)
