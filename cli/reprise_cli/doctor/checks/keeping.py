"""Whether what the stack holds is kept as long as it should be, and no longer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.check import Check, CheckGroup, Problem, one
from reprise_cli.doctor.checks.deployment import PUT_BACK
from reprise_cli.doctor.mend import aws

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise_cli.doctor.facts import Facts
    from reprise_cli.doctor.things import ExpiryFacts, TableFacts

LEDGER: Final = "runbooks/ledger.md"
_TTL: Final = "expires_at_s"
_LEAST_DAYS: Final = 30
"""As template.yaml has it: below, a claim check could be gone while its call waits."""


def _log_group(name: str, days: int | None, facts: Facts) -> Iterable[Problem]:
    if days is None:
        yield Problem(f"log group {name} is gone", PUT_BACK)
    elif days == 0:
        wanted = facts.parameters.get("RetentionDays", str(_LEAST_DAYS))
        yield Problem(
            f"log group {name} keeps its lines for ever",
            aws("logs put-retention-policy", log_group_name=name, retention_in_days=wanted),
        )


def _table(facts: Facts) -> str:
    return facts.outputs.get("LedgerTable", "")


def _there(_: str, table: TableFacts | None, facts: Facts) -> Iterable[Problem]:
    if table is None:
        yield Problem(
            f"table {_table(facts)} is gone, and with it what became of every call",
            "Restore it under its name: aws dynamodb restore-table-to-point-in-time",
        )
    elif table.status not in {"ACTIVE", "UPDATING"}:
        yield Problem(
            f"table {_table(facts)} is {table.status}",
            aws("dynamodb describe-table", table_name=_table(facts)),
        )


def _ttl(_: str, table: TableFacts | None, facts: Facts) -> Iterable[Problem]:
    if table is not None and table.ttl_attribute != _TTL:
        name = _table(facts)
        yield Problem(
            f"rows of table {name} do not expire by {_TTL}: the ledger grows for ever",
            aws(
                "dynamodb update-time-to-live",
                table_name=name,
                time_to_live_specification=f"Enabled=true,AttributeName={_TTL}",
            ),
        )


def _recovery(_: str, table: TableFacts | None, facts: Facts) -> Iterable[Problem]:
    if table is not None and not table.has_recovery:
        name = _table(facts)
        yield Problem(
            f"table {name} has no point-in-time recovery",
            aws(
                "dynamodb update-continuous-backups",
                table_name=name,
                point_in_time_recovery_specification="PointInTimeRecoveryEnabled=true",
            ),
        )


def _billing(_: str, table: TableFacts | None, facts: Facts) -> Iterable[Problem]:
    if table is not None and table.billing != "PAY_PER_REQUEST":
        name = _table(facts)
        yield Problem(
            f"table {name} has provisioned capacity: an outage would throttle it",
            aws("dynamodb update-table", table_name=name, billing_mode="PAY_PER_REQUEST"),
        )


def _bucket(_: str, is_versioned: bool | None, facts: Facts) -> Iterable[Problem]:  # noqa: FBT001 - a fact
    name = facts.outputs.get("BucketName", "")
    if is_versioned is None:
        yield Problem(f"bucket {name} is gone, and with it what waits", PUT_BACK)
    elif not is_versioned:
        yield Problem(
            f"bucket {name} keeps no versions: a line is read by the version that was notified",
            aws(
                "s3api put-bucket-versioning",
                bucket=name,
                versioning_configuration="Status=Enabled",
            ),
        )


def _private(_: str, is_private: bool | None, facts: Facts) -> Iterable[Problem]:  # noqa: FBT001 - a fact
    if is_private is False:
        name = facts.outputs.get("BucketName", "")
        yield Problem(
            f"bucket {name} does not block public access: payloads of calls are in it",
            aws(
                "s3api put-public-access-block",
                bucket=name,
                public_access_block_configuration="BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
            ),
            "explanation/security.md",
        )


def _expiry(_: str, rules: tuple[ExpiryFacts, ...] | None, facts: Facts) -> Iterable[Problem]:
    if rules is None:
        return
    name = facts.outputs.get("BucketName", "")
    if not rules:
        yield Problem(
            f"nothing in bucket {name} expires: captured calls are kept, and paid for, for ever",
            PUT_BACK,
        )
    for rule in rules:
        if rule.days < _LEAST_DAYS:
            yield Problem(
                f"a rule deletes {rule.prefix or 'everything'} in bucket {name} after {rule.days} days: "
                "a call may wait longer than its payload is kept",
                f"Delete that rule, or let it wait {_LEAST_DAYS} days at least",
            )


_check: Final = partial(Check[Any], CheckGroup.DEPLOYMENT)

KEEPING_CHECKS: Final[tuple[Check[Any], ...]] = (
    _check(
        "log-retention",
        "are all log groups there, and do their lines expire?",
        "reference/where-data-goes.md",
        lambda facts: facts.log_groups,
        _log_group,
    ),
    _check("ledger-there", "is the ledger there?", LEDGER, lambda facts: one(facts.table), _there),
    _check("ledger-expiry", "do its rows expire?", LEDGER, lambda facts: one(facts.table), _ttl),
    _check(
        "ledger-recovery",
        "can it be restored to a point in time?",
        LEDGER,
        lambda facts: one(facts.table),
        _recovery,
    ),
    _check("ledger-capacity", "is it on demand?", LEDGER, lambda facts: one(facts.table), _billing),
    _check(
        "bucket-versions",
        "is the bucket there, and versioned?",
        "runbooks/capture-path.md",
        lambda facts: one(facts.is_versioned),
        _bucket,
    ),
    _check(
        "bucket-private",
        "does it block public access?",
        "explanation/security.md",
        lambda facts: one(facts.is_private),
        _private,
    ),
    _check(
        "bucket-expiry",
        "do its objects expire, and none too soon?",
        "reference/where-data-goes.md",
        lambda facts: one(facts.expiries),
        _expiry,
    ),
)
