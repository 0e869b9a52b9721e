"""The secrets of a stack's sources, for who looks after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from reprise.aws.keys import DENIED, secret_name
from reprise.capturing.signature import INVOKER, MacKeys
from reprise.errors import SettingsError
from reprise_cli.exits import CommandError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

RECOVERY_DAYS: Final = 7
"""Secrets Manager API reference, DeleteSecret: the shortest recovery window."""


ROLE_TAG: Final = "reprise:role"
"""Tag of a source's secret: the role that was given its statements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSecret:
    """A source as its secret has it."""

    name: str
    arn: str
    targets: tuple[str, ...] = ()
    problem: str = ""
    """Why nothing that it signs is believed, or why nobody here can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSecrets:
    """The secrets below `<stack>/source/`."""

    client: SecretsManagerClient
    stack: str

    def all(self) -> list[SourceSecret]:
        """Return the stack's sources, by name."""
        prefix = secret_name(self.stack, "x").removesuffix("x")
        pages = self.client.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "name", "Values": [prefix]}]
        )
        found = {
            entry["Name"].removeprefix(prefix): entry["ARN"]
            for page in pages
            for entry in page["SecretList"]
            # The filter knows no slashes: it finds other stacks' likewise.
            if entry["Name"].startswith(prefix)
        }
        return [self._source(name, found[name]) for name in sorted(found)]

    def _source(self, name: str, arn: str) -> SourceSecret:
        try:
            keys = MacKeys.from_secret(self.read(name), name)
        except SettingsError as error:
            return SourceSecret(name=name, arn=arn, problem=str(error))
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code not in DENIED:
                raise
            return SourceSecret(name=name, arn=arn, problem=f"its secret may not be read ({code})")
        return SourceSecret(name=name, arn=arn, targets=keys.targets)

    def read(self, name: str) -> str:
        """Return a source's key document.

        Raises:
            CommandError: If there is no such source.
        """
        try:
            response = self.client.get_secret_value(SecretId=secret_name(self.stack, name))
        except (
            self.client.exceptions.ResourceNotFoundException,
            self.client.exceptions.InvalidRequestException,
        ) as error:
            raise _unknown(self.stack, name) from error
        return response.get("SecretString", "")

    def write(self, name: str, text: str) -> None:
        """Replace a source's key document."""
        self.client.put_secret_value(SecretId=secret_name(self.stack, name), SecretString=text)

    def key_of_stack(self) -> str | None:
        """Return the ARN of the customer key that the stack's own secrets are encrypted with, if any."""
        found = self.client.describe_secret(SecretId=secret_name(self.stack, INVOKER))
        return found.get("KmsKeyId")

    def role_of(self, name: str) -> str | None:
        """Return the role that has the source's statements from us, if any does.

        Raises:
            CommandError: If there is no such source.
        """
        try:
            found = self.client.describe_secret(SecretId=secret_name(self.stack, name))
        except self.client.exceptions.ResourceNotFoundException as error:
            raise _unknown(self.stack, name) from error
        tags = {tag.get("Key"): tag.get("Value") for tag in found.get("Tags", [])}
        return tags.get(ROLE_TAG)

    def add(self, name: str, text: str, kms_key: str | None, role: str | None = None) -> str:
        """Make a source, and return the ARN of its secret.

        Args:
            name: Of the source.
            text: Its key document.
            kms_key: Customer key, if the stack has one.
            role: That is about to be given its statements: noted, so that they can be taken off again.

        Raises:
            CommandError: If there is one of that name, or was until lately.
        """
        settings: dict[str, Any] = {} if kms_key is None else {"KmsKeyId": kms_key}
        if role is not None:
            settings["Tags"] = [{"Key": ROLE_TAG, "Value": role}]
        full_name = secret_name(self.stack, name)
        try:
            made = self.client.create_secret(
                Name=full_name,
                Description=f"Keys of the source {name} of stack {self.stack}",
                SecretString=text,
                **settings,
            )
        except self.client.exceptions.ResourceExistsException as error:
            raise CommandError(
                "NAME",
                f"there is a source {name!r} already",
                "Choose another name, `reprise sources rotate` it, or write more targets into its secret",
            ) from error
        except self.client.exceptions.InvalidRequestException as error:
            raise CommandError(
                "NAME",
                f"source {name!r} was removed less than {RECOVERY_DAYS} days ago",
                f"Choose another name, or `aws secretsmanager restore-secret --secret-id {full_name}`",
            ) from error
        return made["ARN"]

    def remove(self, name: str) -> None:
        """Remove a source; its secret can be restored for some days.

        Raises:
            CommandError: If there is no such source.
        """
        try:
            self.client.delete_secret(
                SecretId=secret_name(self.stack, name), RecoveryWindowInDays=RECOVERY_DAYS
            )
        except (
            self.client.exceptions.ResourceNotFoundException,
            self.client.exceptions.InvalidRequestException,
        ) as error:
            raise _unknown(self.stack, name) from error


def _unknown(stack: str, name: str) -> CommandError:
    return CommandError(
        "NAME", f"stack {stack!r} has no source {name!r}", "Look at `reprise sources list`"
    )
