"""What keeps things: queues, the ledger, parameters, and the secrets of sources."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reprise.aws.keys import secret_name
from reprise.capturing.signature import MacKeys
from reprise.errors import SettingsError
from reprise_cli.doctor.read import NotRead
from reprise_cli.doctor.reading.attempt import attempt, attempt_there, each, pages_of
from reprise_cli.doctor.things import QueueFacts, SourceFacts, TableFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise_cli.doctor.read import Read, ReadEach


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReader:
    """Reads SQS."""

    client: Any

    def queues(self, urls: Iterable[str]) -> ReadEach[QueueFacts | None]:
        """Return queues, by name."""
        by_name = {url.rpartition("/")[2]: url for url in urls}
        return each(by_name, lambda name: self._queue(by_name[name]))

    def _queue(self, url: str) -> Read[QueueFacts | None]:
        def ask() -> QueueFacts:
            found = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            told = found["Attributes"]
            redrive = json.loads(told.get("RedrivePolicy") or "{}")
            return QueueFacts(
                arn=told["QueueArn"],
                url=url,
                visibility_s=int(told["VisibilityTimeout"]),
                retention_s=int(told["MessageRetentionPeriod"]),
                messages=int(told["ApproximateNumberOfMessages"]),
                dead_letters_to=redrive.get("deadLetterTargetArn"),
                policy=told.get("Policy", ""),
            )

        return attempt("sqs:GetQueueAttributes", ask)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReader:
    """Reads DynamoDB."""

    client: Any

    def table(self, name: str) -> Read[TableFacts | None]:
        """Return a table's settings."""
        found = attempt(
            "dynamodb:DescribeTable", lambda: self.client.describe_table(TableName=name)["Table"]
        )
        if found is None or isinstance(found, NotRead):
            return found
        life = attempt_there(
            "dynamodb:DescribeTimeToLive",
            lambda: self.client.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
            f"table {name}",
        )
        backups = attempt_there(
            "dynamodb:DescribeContinuousBackups",
            lambda: self.client.describe_continuous_backups(TableName=name)[
                "ContinuousBackupsDescription"
            ],
            f"table {name}",
        )
        if isinstance(life, NotRead):
            return life
        if isinstance(backups, NotRead):
            return backups
        is_on = life.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
        recovery = backups.get("PointInTimeRecoveryDescription", {})
        return TableFacts(
            status=found["TableStatus"],
            billing=found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            ttl_attribute=life.get("AttributeName") if is_on else None,
            has_recovery=recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterReader:
    """Reads Parameter Store."""

    client: Any

    def text(self, name: str) -> Read[str | None]:
        """Return what a parameter holds."""
        return attempt(
            "ssm:GetParameter",
            lambda: str(self.client.get_parameter(Name=name)["Parameter"]["Value"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReader:
    """Reads the key documents of sources; no key leaves it."""

    client: Any
    stack: str

    def sources(self, expected: Iterable[str]) -> Read[ReadEach[SourceFacts | None]]:
        """Return the stack's sources.

        Args:
            expected: Those that come with it, which must be there.
        """
        prefix = secret_name(self.stack, "x").removesuffix("x")
        listed = attempt_there(
            "secretsmanager:ListSecrets",
            lambda: pages_of(
                self.client,
                "list_secrets",
                "SecretList",
                Filters=[{"Key": "name", "Values": [prefix]}],
            ),
            "secrets",
        )
        if isinstance(listed, NotRead):
            return listed
        names = [
            entry["Name"].removeprefix(prefix)
            for entry in listed
            if entry["Name"].startswith(prefix)
        ]
        return each([*expected, *names], self._source)

    def _source(self, name: str) -> Read[SourceFacts | None]:
        text = attempt(
            "secretsmanager:GetSecretValue",
            lambda: str(
                self.client.get_secret_value(SecretId=secret_name(self.stack, name)).get(
                    "SecretString", ""
                )
            ),
        )
        if text is None or isinstance(text, NotRead):
            return text
        try:
            MacKeys.from_secret(text, name)
        except SettingsError as error:
            return SourceFacts(problem=str(error))
        document = json.loads(text)
        return SourceFacts(
            current=document["current"],
            names=tuple(sorted(set(document) - {"current", "targets"})),
        )
