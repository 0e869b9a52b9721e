"""Folders of function code and of merged layers, unpacked once per content."""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_lock = threading.Lock()


def unpack(archives: Sequence[bytes], cache_dir: Path) -> Path:
    """Return a folder that holds the archives, a later one over an earlier one.

    Lambda merges all layers into one ``/opt`` in their order; a function's code
    is the case of one archive.

    Source: Lambda Developer Guide, "Adding layers to functions".
    """
    digest = hashlib.sha256()
    for archive in archives:
        digest.update(hashlib.sha256(archive).digest())
    folder = cache_dir / digest.hexdigest()[:32]
    with _lock:
        if folder.exists():
            return folder
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for archive in archives:
            _extract(archive, partial)
        partial.rename(folder)
    return folder


def _extract(archive: bytes, folder: Path) -> None:
    """Extract with permission bits and symbolic links, which ``extractall`` drops."""
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        for entry in source.infolist():
            if (place := folder / entry.filename).is_symlink():
                # A later archive's file takes its place, and is not written through it.
                place.unlink()
            written = Path(source.extract(entry, folder))
            mode = entry.external_attr >> 16
            if stat.S_ISLNK(mode):
                written.unlink()
                written.symlink_to(source.read(entry).decode())
            elif mode & 0o777 and not entry.is_dir():
                written.chmod(mode & 0o777 | 0o600)
