"""The roles of sources: what a source needs, as an inline policy of its role."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_iam import IAMClient


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRoles:
    """Gives roles the statements of sources, and takes them off."""

    client: IAMClient
    stack: str

    def check(self, role: str) -> str:
        """Return the name of a role, by name or ARN, that is there.

        Raises:
            CommandError: If it is not.
        """
        name = role.rpartition("/")[2]
        try:
            self.client.get_role(RoleName=name)
        except self.client.exceptions.NoSuchEntityException as error:
            raise CommandError(
                "--role",
                f"there is no role {name!r}",
                "Name the role that the caller runs as, by name or ARN",
            ) from error
        return name

    def attach(self, role: str, source: str, statements: Sequence[dict[str, Any]]) -> str:
        """Make the statements an inline policy of the role, and return the policy's name.

        Raises:
            CommandError: If IAM refuses it: the source is made, and its role is not.
        """
        name = self._policy_name(source)
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        try:
            self.client.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
        except ClientError as error:
            raise CommandError(
                "--role",
                f"source {source!r} is made, but role {role!r} was not given what it needs: {error}",
                "Give it the statements above by hand",
            ) from error
        return name

    def detach(self, role: str, source: str) -> None:
        """Take the statements off the role; a role or a policy that is gone has none."""
        with suppress(self.client.exceptions.NoSuchEntityException):
            self.client.delete_role_policy(RoleName=role, PolicyName=self._policy_name(source))

    def _policy_name(self, source: str) -> str:
        return f"{self.stack}-source-{source}"
