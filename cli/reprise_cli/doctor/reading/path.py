"""The capture path: log groups and filters, the stream, the bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reprise_cli.doctor.read import NotRead
from reprise_cli.doctor.reading.attempt import attempt, attempt_there, each, pages_of
from reprise_cli.doctor.things import ExpiryFacts, FilterFacts, NotificationFacts, StreamFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise_cli.doctor.read import Read, ReadEach


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsReader:
    """Reads CloudWatch Logs."""

    client: Any

    def retention(self, prefix: str, names: Iterable[str]) -> ReadEach[int | None]:
        """Return how many days log groups keep their lines; 0 for ever, None if a group is not there."""
        found = attempt_there(
            "logs:DescribeLogGroups",
            lambda: pages_of(
                self.client, "describe_log_groups", "logGroups", logGroupNamePrefix=prefix
            ),
            "log groups",
        )
        if isinstance(found, NotRead):
            return dict.fromkeys(names, found)
        days = {group["logGroupName"]: int(group.get("retentionInDays", 0)) for group in found}
        return {name: days.get(name) for name in names}

    def filters(self, groups: Iterable[str]) -> ReadEach[tuple[FilterFacts, ...] | None]:
        """Return the subscription filters of log groups."""
        return each(groups, self._filters)

    def _filters(self, group: str) -> Read[tuple[FilterFacts, ...] | None]:
        def ask() -> tuple[FilterFacts, ...]:
            found = self.client.describe_subscription_filters(logGroupName=group)
            return tuple(
                FilterFacts(
                    name=entry["filterName"],
                    pattern=entry.get("filterPattern", ""),
                    destination=entry["destinationArn"],
                )
                for entry in found["subscriptionFilters"]
            )

        return attempt("logs:DescribeSubscriptionFilters", ask)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirehoseReader:
    """Reads Firehose."""

    client: Any

    def stream(self, name: str) -> Read[StreamFacts | None]:
        """Return a stream."""

        def ask() -> StreamFacts:
            found = self.client.describe_delivery_stream(DeliveryStreamName=name)
            told = found["DeliveryStreamDescription"]
            places = told.get("Destinations") or [{}]
            place = places[0].get("ExtendedS3DestinationDescription") or places[0].get(
                "S3DestinationDescription", {}
            )
            return StreamFacts(
                status=told["DeliveryStreamStatus"],
                bucket=place.get("BucketARN", "something else than a bucket"),
                prefix=place.get("Prefix", ""),
                role=place.get("RoleARN", ""),
            )

        return attempt("firehose:DescribeDeliveryStream", ask)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketReader:
    """Reads one bucket's settings."""

    client: Any
    bucket: str
    account: str
    """Whose it must be: its name is the world's."""

    def notifications(self) -> Read[tuple[NotificationFacts, ...] | None]:
        """Return what it tells queues."""

        def ask() -> tuple[NotificationFacts, ...]:
            found = self._ask("get_bucket_notification_configuration")
            return tuple(_notification(entry) for entry in found.get("QueueConfigurations", []))

        return attempt("s3:GetBucketNotification", ask)

    def is_versioned(self) -> Read[bool | None]:
        """Tell whether it keeps versions."""
        return attempt(
            "s3:GetBucketVersioning",
            lambda: self._ask("get_bucket_versioning").get("Status") == "Enabled",
        )

    def is_private(self) -> Read[bool | None]:
        """Tell whether it blocks all public access."""

        def ask() -> bool:
            found = self._ask("get_public_access_block")["PublicAccessBlockConfiguration"]
            return all(found.values())

        nothing_is_blocked = False
        return self._or(
            "NoSuchPublicAccessBlockConfiguration",
            nothing_is_blocked,
            "s3:GetBucketPublicAccessBlock",
            ask,
        )

    def expiries(self) -> Read[tuple[ExpiryFacts, ...] | None]:
        """Return the rules that delete objects after some days."""

        def ask() -> tuple[ExpiryFacts, ...]:
            rules = self._ask("get_bucket_lifecycle_configuration").get("Rules", [])
            return tuple(
                ExpiryFacts(prefix=_prefix(rule), days=int(rule["Expiration"]["Days"]))
                for rule in rules
                if rule.get("Status") == "Enabled" and "Days" in rule.get("Expiration", {})
            )

        return self._or("NoSuchLifecycleConfiguration", (), "s3:GetLifecycleConfiguration", ask)

    def _ask(self, operation: str) -> dict[str, Any]:
        ask = getattr(self.client, operation)
        return dict(ask(Bucket=self.bucket, ExpectedBucketOwner=self.account))

    def _or[T](self, code: str, otherwise: T, permission: str, ask: Any) -> Read[T | None]:  # noqa: ANN401 - makes the request
        """Return what is asked; a code that says that nothing is set means something, too."""
        found: Read[T | None] = attempt(permission, ask)
        return otherwise if isinstance(found, NotRead) and found.why.endswith(f" {code}") else found


def _notification(entry: dict[str, Any]) -> NotificationFacts:
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    prefixes = [rule["Value"] for rule in rules if rule["Name"].lower() == "prefix"]
    return NotificationFacts(
        queue=entry["QueueArn"],
        prefix=prefixes[0] if prefixes else "",
        events=tuple(entry.get("Events", [])),
    )


def _prefix(rule: dict[str, Any]) -> str:
    within = rule.get("Filter", {})
    return str(
        rule.get("Prefix") or within.get("Prefix") or within.get("And", {}).get("Prefix", "")
    )
