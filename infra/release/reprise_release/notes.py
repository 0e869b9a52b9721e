"""The release notes: the changelog's part of one version."""

from __future__ import annotations

import re
from typing import Final

_HEADING: Final = re.compile(r"^## \[([^\]]+)\].*$", re.MULTILINE)


def release_notes(changelog: str, version: str) -> str:
    """Return what changed in a version: its section, or what is not released yet.

    Raises:
        ValueError: If the changelog has neither.
    """
    headings = [*_HEADING.finditer(changelog)]
    ends = [match.start() for match in headings[1:]] + [len(changelog)]
    sections = {
        match[1]: changelog[match.end() : end].strip()
        for match, end in zip(headings, ends, strict=True)
    }
    for name in (version, "Unreleased"):
        if sections.get(name):
            title = f"# Reprise {version}" + (", before its release" if name != version else "")
            return f"{title}\n\n{sections[name]}\n"
    message = f"CHANGELOG.md has no section [{version}], and none [Unreleased] with anything in it"
    raise ValueError(message)
