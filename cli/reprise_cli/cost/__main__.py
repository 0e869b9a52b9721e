"""Print docs/reference/cost.md."""

from __future__ import annotations

from reprise_cli.cost.page import page
from reprise_cli.output import Output

if __name__ == "__main__":
    Output(is_json=False).copyable(*page().splitlines())
