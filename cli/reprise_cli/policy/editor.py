"""Let an operator edit a document until it is valid, as `kubectl edit` does."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reprise_cli.exits import CommandError, UsageError
from reprise_cli.policy.document import CheckedPolicy, check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HEAD: Final = (
    "# Lines that begin with # are left out, and not counted. Save to go on; an unchanged or empty file "
    "ends it."
)


def editor_of(environment: Mapping[str, str]) -> list[str]:
    """Return the command of the operator's editor.

    Raises:
        UsageError: If it cannot be understood.
    """
    text = environment.get("VISUAL") or environment.get("EDITOR") or "vi"
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError("EDITOR", f"cannot be understood: {error}", "Correct it") from error


def edit(text: str, run: Callable[[Path], None]) -> CheckedPolicy | None:
    """Return what an editor made of a text; None if it is as it was and valid, or empty.

    What is not valid is shown with what is wrong above it, and refused if it comes back as it went.

    Args:
        text: The document.
        run: Opens a file in an editor, and returns when that has ended.

    Raises:
        CommandError: If it is still not valid. The file stays then, and is named.
    """
    handle, name = tempfile.mkstemp(prefix="reprise-policy-", suffix=".json")
    os.close(handle)
    at_first = _wrong_with(text)
    path, shown, wrong = Path(name), text, str(at_first or "")
    try:
        while True:
            path.write_text("\n".join([_HEAD, *_comments(wrong), shown]), encoding="utf-8")
            run(path)
            saved = _without_comments(path.read_text(encoding="utf-8"))
            if not saved.strip() or saved.strip() == text.strip():
                path.unlink()
                if at_first is not None:
                    raise at_first
                return None
            try:
                checked = check(saved)
            except CommandError as error:
                if wrong and saved.strip() == shown.strip():
                    raise _kept(error, path) from error
                shown, wrong = saved, str(error)
            else:
                path.unlink()
                return checked
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError("EDITOR", f"{path}: {error}", "Set EDITOR, then try again") from error


def run_editor(command: list[str], path: Path) -> None:
    """Open a file in an editor, and wait for its end.

    Raises:
        CommandError: If it cannot be started, or fails.
    """
    try:
        code = subprocess.run([*command, str(path)], check=False).returncode  # noqa: S603 - the operator's own
    except OSError as error:
        raise CommandError("EDITOR", f"{command[0]}: {error.strerror}", "Set EDITOR") from error
    if code:
        raise CommandError("EDITOR", f"{command[0]} ended with {code}", "Nothing was changed")


def _wrong_with(text: str) -> CommandError | None:
    try:
        check(text)
    except CommandError as error:
        return error
    return None


def _comments(text: str) -> list[str]:
    return [f"# error: {line}" for line in text.splitlines()]


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _kept(error: CommandError, path: Path) -> CommandError:
    return CommandError(
        error.field, error.message, f"{error.next_step}. What you wrote is in {path}", error.code
    )
