"""Keep what `reprise read` cannot read in a folder, in the form that the pipeline keeps it in S3."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from reprise.call.payload import ClaimCheck
from reprise.stage.quarantine import PREFIX, Quarantine


class _Folder:
    """Writes objects as files; what the quarantine needs of a bucket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> ClaimCheck:
        """Keep bytes under a key."""
        steps = PurePosixPath(key.removeprefix(PREFIX)).parts
        # A path of the reader's machine must not lead out of the folder.
        path = self._folder.joinpath(*(step for step in steps if step not in {"/", "..", "."}))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return ClaimCheck(bucket=str(self._folder), key=key)


class _NoMeter:
    """Counts nothing: the command has its own tally."""

    def count(self, name: str, value: int = 1, **dimensions: str | None) -> None:
        """Count nothing."""

    def observe(self, name: str, value: float, **dimensions: str | None) -> None:
        """Keep nothing."""


def quarantine_in(folder: Path, source: str) -> Quarantine:
    """Return where one source's unreadable parts go: JSON lines below a folder."""
    return Quarantine(source, _Folder(folder), _NoMeter())
