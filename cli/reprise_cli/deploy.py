"""Build the unchanged templates and deploy them into the local engine, by the real SAM CLI."""

from __future__ import annotations

import os
import subprocess
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.exits import CommandError, UsageError
from reprise_cli.place import exports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise_cli.place import Place

REPOSITORY: Final = Path(__file__).resolve().parents[2]
SAM: Final = Path(".tools/sam/bin/sam")
_CONFIG: Final = "samconfig.toml"
_ENVIRONMENT: Final = "local"
_TAIL_CHARS: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One build of the template, and where it goes."""

    place: Place
    """A local engine."""
    stack_name: str
    runtime: str
    """Lambda runtime that the engine has, such as `python3.13`."""
    changes: tuple[str, ...] = ()
    """Parameters besides those of samconfig.toml, as `Name=value`; the later of two wins."""
    addon: str = ""
    """Folder in addons/ of what is built instead of the root, and its environment in samconfig.toml."""
    build_dir: Path = REPOSITORY / ".aws-sam" / "build"
    cache_dir: Path = REPOSITORY / ".aws-sam" / "cache"
    """What builds share; it bears one at a time."""
    repository: Path = REPOSITORY

    def build(self) -> None:
        """Build layer and functions.

        Raises:
            CommandError: With the end of what the SAM CLI wrote.
        """
        folders = ["--build-dir", str(self.build_dir), "--cache-dir", str(self.cache_dir)]
        self._sam("build", *folders)

    def beside(self, addon: str, *, stack_name: str, changes: Sequence[str] = ()) -> Deployment:
        """Return an add-on of this stack, built beside it."""
        beside = self.build_dir.parent / addon
        return replace(
            self,
            addon=addon,
            stack_name=stack_name,
            changes=(f"RootStack={self.stack_name}", *changes),
            build_dir=beside / "build",
            cache_dir=beside / "cache",
        )

    def deploy(self) -> None:
        """Create or update the stack.

        Raises:
            CommandError: With the end of what the SAM CLI wrote.
        """
        config: dict[str, Any] = tomllib.loads((self.repository / _CONFIG).read_text())
        stated = config[self.addon or _ENVIRONMENT]["deploy"]["parameters"].get(
            "parameter_overrides", ""
        )
        overrides = merge_overrides(stated, (f"PythonRuntime={self.runtime}", *self.changes))
        template = ["--template-file", str(self.build_dir / "template.yaml")]
        stack = ["--stack-name", self.stack_name]
        self._sam("deploy", *template, *stack, "--parameter-overrides", *overrides)

    def _sam(self, command: str, *arguments: str) -> None:
        sam = self.repository / SAM
        if not sam.exists():
            raise CommandError("sam", f"{SAM} is missing", "Run `make setup`")
        environment = self.addon or _ENVIRONMENT
        config = ["--config-file", str(self.repository / _CONFIG), "--config-env", environment]
        done = subprocess.run(  # noqa: S603 - our own tool and arguments
            [sam, command, *config, *arguments],
            cwd=self.repository,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            tail = (done.stdout + done.stderr)[-_TAIL_CHARS:]
            raise CommandError("sam", f"{command} failed:\n{tail}", "Correct that, then try again")

    def environment(self) -> dict[str, str]:
        """Return the variables of the SAM CLI: the engine's, and the repository's own tools first."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        tools = [str(self.repository / part) for part in (".venv/bin", ".tools/uv/bin")]
        return {
            **kept,
            **exports(self.place),
            "PATH": os.pathsep.join([*tools, os.environ.get("PATH", os.defpath)]),
            "SAM_CLI_TELEMETRY": "0",
            # Seconds between two looks at the stack: an engine is done sooner than in SAM's own five.
            "SAM_CLI_POLL_DELAY": "0.5",
        }


def read_changes(parameters: Sequence[str]) -> tuple[str, ...]:
    """Return what people typed as `Name=value`, as the SAM CLI takes it.

    Raises:
        CommandError: If one is no such pair.
    """
    changes = []
    for text in parameters:
        name, is_pair, value = text.partition("=")
        if not is_pair or not name.isidentifier():
            raise UsageError(
                "--parameter",
                f"{text!r} is no NAME=VALUE",
                "Write for example WarmTimezone=Asia/Seoul",
            )
        # Unquoted, SAM would read a value up to its first space: half of a cron expression.
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        changes.append(f'{name}="{quoted}"' if set(value) & set(' "') else text)
    return tuple(changes)


def merge_overrides(stated: str, changes: Sequence[str]) -> list[str]:
    """Return parameters as `Name=value`, each name once, the last statement of it."""
    pairs = [text.partition("=") for text in (*stated.split(), *changes)]
    return [f"{name}={value}" for name, value in {name: value for name, _, value in pairs}.items()]
