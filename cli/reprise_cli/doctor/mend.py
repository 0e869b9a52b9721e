"""Commands that mend something, as text that can be given to a shell whatever the names in it hold."""

from __future__ import annotations

import shlex


def aws(operation: str, **options: str) -> str:
    """Return a command of the AWS CLI.

    Args:
        operation: Service and operation, such as `logs put-retention-policy`.
        options: By their names, with underscores; one of no value is a flag.
    """
    words = ["aws", *operation.split()]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", *([value] if value else [])]
    return shlex.join(words)


def named(name: str) -> str:
    """Return a name as it stands in a command within a sentence."""
    return shlex.quote(name)
