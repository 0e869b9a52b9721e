"""Zips, checksums and copies that say nothing of the machine that made them."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The first instant that a zip can name."""
_UNIX: Final = 3
_FILE_MODE: Final = 0o100644
_PROGRAM_MODE: Final = 0o100755


def pack(folder: Path, target: Path, *, under: str = "") -> Path:
    """Write a folder's files as a zip, in the order of their names, without times, owners or umask.

    Args:
        folder: What is packed.
        target: The zip to write.
        under: Folder inside the zip that holds all of it, such as `reprise-0.1.0/`.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(under + path.relative_to(folder).as_posix(), _EPOCH)
            entry.create_system = _UNIX
            entry.compress_type = zipfile.ZIP_DEFLATED
            is_program = path.stat().st_mode & 0o100
            entry.external_attr = (_PROGRAM_MODE if is_program else _FILE_MODE) << 16
            made.writestr(entry, path.read_bytes())
    return target


def checksums(paths: Iterable[Path]) -> str:
    """Return the lines that `sha256sum --check` takes, by name."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(paths, key=lambda path: path.name)
    )
