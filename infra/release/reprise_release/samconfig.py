"""The packaged template's samconfig.toml: the repository's, for files that are built already."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

ADDONS: Final = ("schedules", "endpoint", "replies", "batch")


def samconfig(repository: Path) -> str:
    """Return settings by which `sam deploy` deploys the root, and `--config-env NAME` an add-on."""
    stated = tomllib.loads((repository / "samconfig.toml").read_text())
    lines = ["version = 0.1"]
    for environment in ("default", *ADDONS):
        template = "template" if environment == "default" else environment
        lines += ["", f"[{environment}.deploy.parameters]", f'template_file = "{template}.json"']
        settings = stated[environment]["deploy"]["parameters"]
        # Strings and booleans of TOML are those of JSON.
        lines += [
            f"{name} = {json.dumps(value)}"
            for name, value in settings.items()
            if name != "template_file"
        ]
        named = json.dumps(settings["stack_name"])
        lines += ["", f"[{environment}.delete.parameters]", f"stack_name = {named}"]
    return "\n".join(lines) + "\n"
