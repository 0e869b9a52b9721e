"""Archives of functions and layers are unpacked as they were packed."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local_engine.runtime.code import unpack
from local_engine.testing import archive

if TYPE_CHECKING:
    from collections.abc import Iterable


def packed(entries: Iterable[tuple[str, int, str]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, mode, text in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            target.writestr(entry, text)
    return buffer.getvalue()


@pytest.mark.parametrize(("mode", "kept"), [(0o755, 0o755), (0o444, 0o644), (0, None)])
def test_permissions_are_kept_and_the_engine_may_delete(
    tmp_path: Path, mode: int, kept: int | None
) -> None:
    folder = unpack([packed([("bin/program", mode, "text")])], tmp_path)
    found = stat.S_IMODE((folder / "bin/program").stat().st_mode)
    assert kept is None or found == kept


def test_links_are_links(tmp_path: Path) -> None:
    entries = [("lib/a.so.1", 0o644, "text"), ("lib/a.so", stat.S_IFLNK | 0o777, "a.so.1")]
    folder = unpack([packed(entries)], tmp_path)
    assert (folder / "lib/a.so").readlink() == Path("a.so.1")
    assert (folder / "lib/a.so").read_text() == "text"


def test_file_over_a_link_takes_its_place(tmp_path: Path) -> None:
    linked = packed([("a", 0o644, "old"), ("b", stat.S_IFLNK | 0o777, "a")])
    folder = unpack([linked, archive({"b": "new"})], tmp_path)
    assert [(folder / name).read_text() for name in "ab"] == ["old", "new"]


def test_later_archive_is_over_an_earlier_one(tmp_path: Path) -> None:
    one, two = archive({"a": "1", "b": "1"}), archive({"b": "2"})
    folder = unpack([one, two], tmp_path)
    assert [(folder / name).read_text() for name in "ab"] == ["1", "2"]
    assert unpack([two, one], tmp_path) != folder
