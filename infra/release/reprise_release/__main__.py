"""Write the release of what is built: `make release`."""

from __future__ import annotations

from reprise_release.release import REPOSITORY, Release

if __name__ == "__main__":
    release = Release(tools=REPOSITORY / ".tools")
    release.write()
    print((release.folder / "SHA256SUMS").read_text(), end="")  # noqa: T201 - the output is the point
