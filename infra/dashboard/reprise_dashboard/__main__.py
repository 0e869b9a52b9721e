"""Write the dashboard into the template and the tables into the docs, or check that they are there."""

from __future__ import annotations

import sys

from reprise_dashboard.reference import documents
from reprise_dashboard.render import TEMPLATE, rendered


def main() -> None:
    """Write; with `--check` only compare."""
    for path, text in {TEMPLATE: rendered(), **documents()}.items():
        if "--check" not in sys.argv:
            path.write_text(text)
        elif path.read_text() != text:
            sys.exit(f"error: {path.name} is not in step: run `make dashboard`")


if __name__ == "__main__":
    main()
