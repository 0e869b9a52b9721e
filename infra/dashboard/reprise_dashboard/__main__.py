"""Write the dashboard into the template, or check that it is there."""

from __future__ import annotations

import sys

from reprise_dashboard.render import TEMPLATE, rendered


def main() -> None:
    """Write; with `--check` only compare."""
    text = rendered()
    if "--check" not in sys.argv:
        TEMPLATE.write_text(text)
    elif TEMPLATE.read_text() != text:
        sys.exit(f"error: {TEMPLATE.name} is not in step: run `make dashboard`")


if __name__ == "__main__":
    main()
