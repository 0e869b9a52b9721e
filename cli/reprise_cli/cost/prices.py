"""List prices of us-east-1: on demand, first tier, no free tier.

None was read from AWS while this was written, for want of a network to it. `checked` ones agree with what
this repository had recorded from AWS's lists (docs/reference/metrics.md, README) or with dated public price
guides; the others are as AWS's price pages are generally known to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

REGION: Final = "us-east-1"
MILLION: Final = 1_000_000
GB_BYTES: Final = 1_000_000_000
"""Bytes of a gigabyte here. Where AWS bills 2^30, this is 7 % too dear."""


class Service(StrEnum):
    """Who bills."""

    LAMBDA = "Lambda"
    DYNAMODB = "DynamoDB"
    SQS = "SQS"
    S3 = "S3"
    LOGS = "CloudWatch Logs"
    FIREHOSE = "Firehose"
    CLOUDWATCH = "CloudWatch"
    EVENTBRIDGE = "EventBridge"
    SECRETS = "Secrets Manager"


class Sku(StrEnum):
    """What is billed, in its own unit: how much of it is used is a count of these."""

    LAMBDA_REQUEST = "Lambda request"
    LAMBDA_GB_S = "Lambda GB-second, x86_64"
    WRITE_UNIT = "DynamoDB write request unit (1 KB of one item)"
    READ_UNIT = "DynamoDB read request unit (4 KB of one item, consistent)"
    TABLE_GB_MONTH = "DynamoDB storage, GB-month"
    RECOVERY_GB_MONTH = "DynamoDB point-in-time recovery, GB-month"
    SQS_REQUEST = "SQS request (64 KB), standard queue"
    FAIR_REQUEST = "SQS request with a MessageGroupId (fair queue), on top"
    S3_PUT = "S3 PUT, COPY, POST or LIST"
    S3_GET = "S3 GET"
    S3_GB_MONTH = "S3 Standard storage, GB-month"
    LOG_GB = "CloudWatch Logs ingestion, GB"
    LOG_GB_MONTH = "CloudWatch Logs storage, GB-month (compressed)"
    FIREHOSE_GB = "Firehose Direct PUT, GB (each record rounded up to 5 KB)"
    METRIC_MONTH = "CloudWatch custom metric, month"
    ALARM_MONTH = "CloudWatch alarm, a metric and month"
    COMPOSITE_MONTH = "CloudWatch composite alarm, month"
    DASHBOARD_MONTH = "CloudWatch dashboard, month"
    EVENT = "EventBridge custom event (64 KB)"
    SCHEDULE = "EventBridge Scheduler invocation"
    SECRET_MONTH = "Secrets Manager secret, month"  # noqa: S105 - a price


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One line of a price list."""

    service: Service
    usd: float
    """Of so many units."""
    per: int
    as_of: str
    """Year, or year and month, of the list that has it."""
    checked: bool
    """Whether it agrees with something written down and dated; see the head of this file."""

    @property
    def usd_of_one(self) -> float:
        """Return the price of one unit."""
        return self.usd / self.per


def _row(service: Service, usd: float, per: int, as_of: str, *, checked: bool) -> Price:
    return Price(service=service, usd=usd, per=per, as_of=as_of, checked=checked)


_YES: Final = True
_NO: Final = False
PRICES: Final = {
    Sku.LAMBDA_REQUEST: _row(Service.LAMBDA, 0.20, MILLION, "2025", checked=_NO),
    Sku.LAMBDA_GB_S: _row(Service.LAMBDA, 16.6667, MILLION, "2025", checked=_NO),
    Sku.WRITE_UNIT: _row(Service.DYNAMODB, 0.625, MILLION, "2026", checked=_YES),
    Sku.READ_UNIT: _row(Service.DYNAMODB, 0.125, MILLION, "2024-11", checked=_NO),
    Sku.TABLE_GB_MONTH: _row(Service.DYNAMODB, 0.25, 1, "2025", checked=_NO),
    Sku.RECOVERY_GB_MONTH: _row(Service.DYNAMODB, 0.20, 1, "2025", checked=_NO),
    Sku.SQS_REQUEST: _row(Service.SQS, 0.40, MILLION, "2026-06", checked=_YES),
    Sku.FAIR_REQUEST: _row(Service.SQS, 0.10, MILLION, "2026-03", checked=_NO),
    Sku.S3_PUT: _row(Service.S3, 5.00, MILLION, "2025", checked=_NO),
    Sku.S3_GET: _row(Service.S3, 0.40, MILLION, "2025", checked=_NO),
    Sku.S3_GB_MONTH: _row(Service.S3, 0.023, 1, "2025", checked=_NO),
    Sku.LOG_GB: _row(Service.LOGS, 0.50, 1, "2026", checked=_YES),
    Sku.LOG_GB_MONTH: _row(Service.LOGS, 0.03, 1, "2025", checked=_NO),
    Sku.FIREHOSE_GB: _row(Service.FIREHOSE, 0.029, 1, "2025", checked=_NO),
    Sku.METRIC_MONTH: _row(Service.CLOUDWATCH, 0.30, 1, "2026", checked=_YES),
    Sku.ALARM_MONTH: _row(Service.CLOUDWATCH, 0.10, 1, "2026", checked=_YES),
    Sku.COMPOSITE_MONTH: _row(Service.CLOUDWATCH, 0.50, 1, "2026", checked=_YES),
    Sku.DASHBOARD_MONTH: _row(Service.CLOUDWATCH, 3.00, 1, "2026", checked=_YES),
    Sku.EVENT: _row(Service.EVENTBRIDGE, 1.00, MILLION, "2026", checked=_YES),
    Sku.SCHEDULE: _row(Service.EVENTBRIDGE, 1.00, MILLION, "2025", checked=_NO),
    Sku.SECRET_MONTH: _row(Service.SECRETS, 0.40, 1, "2026", checked=_YES),
}
"""What each costs, in USD. A test holds that none is missing."""
