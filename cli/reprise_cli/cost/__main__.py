"""Print docs/reference/cost.md."""

from __future__ import annotations

import sys

from reprise_cli.cost.page import page

if __name__ == "__main__":
    sys.stdout.write(page())
