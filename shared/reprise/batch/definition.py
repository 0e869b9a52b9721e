"""How job definitions are called: by name or ARN, with a revision or without."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = r"[A-Za-z0-9_-]{1,128}"
_ARN: Final = rf"arn:aws[a-z-]*:batch:[a-z0-9-]+:[0-9]{{12}}:job-definition/{_NAME}"

ARN: Final = re.compile(_ARN)
"""A job definition without its revision: what a target is called."""
DEFINITION: Final = re.compile(rf"(?P<arn>{_ARN})(?::[0-9]+)?|(?P<name>{_NAME})(?::[0-9]+)?")
"""What SubmitJob takes; the group `arn` or the group `name` is without a revision."""


def unversioned(definition: str) -> str:
    """Return the ARN of a job definition without its revision."""
    match = DEFINITION.fullmatch(definition)
    return match["arn"] if match and match["arn"] else definition
