"""The parameter that holds the policy document: read it, write it if nobody else did, and its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reprise.instant import format_instant
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_ssm import SSMClient

_UNKNOWN: Final = "unknown"
_NOBODY: Final = frozenset({"", "N/A"})
"""What stands for a writer that is not told; the second is the local engine's."""
MAX_REASON: Final = 1024
"""Systems Manager API reference, PutParameter: the longest Description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """The document as somebody wrote it."""

    number: int
    text: str
    at: str
    """When, ISO 8601."""
    by: str = _UNKNOWN
    """ARN of who wrote it, as Systems Manager tells; known in the history only."""
    why: str = ""
    """Its description: what was done, and the reason that was given for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyParameter:
    """The parameter of one stack."""

    client: SSMClient
    name: str

    def read(self) -> Version:
        """Return the version in force."""
        return _version(self.client.get_parameter(Name=self.name)["Parameter"])

    def write(self, text: str, before: Version, why: str) -> int:
        """Keep a document in place of the version that it was made from; return its own number.

        Systems Manager has no conditional write, so the version is looked at before and after.

        Raises:
            CommandError: If somebody else wrote meanwhile. What is kept then is said.
        """
        found = self.read()
        if found.number != before.number:
            raise CommandError(
                "policy",
                f"version {found.number} was written since version {before.number} was read; "
                "nothing was changed",
                "Look at `reprise policy history`, then try again",
            )
        written = self.client.put_parameter(
            Name=self.name,
            Value=text,
            Type="String",
            Overwrite=True,
            Description=why[:MAX_REASON],
        )["Version"]
        if written != before.number + 1:
            raise CommandError(
                "policy",
                f"version {written - 1} was written at the same moment, and version {written}, "
                "which is in force, does not have its changes",
                "Look at `reprise policy history`, and make them again",
            )
        return written

    def history(self) -> list[Version]:
        """Return the versions that Systems Manager keeps, the last hundred, the oldest first."""
        pages = self.client.get_paginator("get_parameter_history").paginate(Name=self.name)
        found = [_version(each) for page in pages for each in page["Parameters"]]
        return sorted(found, key=lambda version: version.number)


def _version(said: Mapping[str, Any]) -> Version:
    by = said.get("LastModifiedUser", "")
    return Version(
        number=said["Version"],
        text=said["Value"],
        at=format_instant(said["LastModifiedDate"]),
        by=_UNKNOWN if by in _NOBODY else by,
        why=said.get("Description", ""),
    )
