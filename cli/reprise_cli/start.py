"""The command's door: says what to install where only the library is installed."""

from __future__ import annotations

import os
import sys
from typing import Final

from reprise.version import __version__
from reprise_cli.exits import ExitCode

_BY_THE_EXTRA: Final = frozenset({"rich", "typer"})
"""What the command's first lines import; that anything else is missing is a fault of ours."""


def main() -> None:
    """Run the command; without what it needs, tell the version, or else the next step."""
    # It looks at functions as they are: what it calls is not to be kept by a plugin that callers here use.
    os.environ.pop("BOTOCORE_EXPERIMENTAL__PLUGINS", None)
    try:
        from reprise_cli.main import app  # noqa: PLC0415 - it may not be there
    except ModuleNotFoundError as error:
        if error.name not in _BY_THE_EXTRA:
            raise
        if sys.argv[1:] == ["--version"]:
            sys.stdout.write(f"reprise {__version__}\n")
            return
        sys.stderr.write(
            f"error: reprise: is installed without its command ({error.name} is missing)."
            " Install it with the extra cli, in a checkout: pip install '.[cli]'\n"
        )
        sys.exit(ExitCode.USAGE)
    app()
