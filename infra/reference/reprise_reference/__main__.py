"""Write the reference's pages and tables, and the picture of the demo: `make reference`."""

from __future__ import annotations

from reprise_reference.documents import documents


def main() -> None:
    """Write what is not in step."""
    for path, text in documents().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


if __name__ == "__main__":
    main()
