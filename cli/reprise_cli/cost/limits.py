"""Where one stack ends: AWS's quotas, and the calls a second that they leave: pure rules.

The rates are divisions of a quota by what a call was counted to use. Nobody ran a stack that fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise_cli.cost import measured
from reprise_cli.cost.bill import bill
from reprise_cli.cost.calls import replay_uses, unpack_uses
from reprise_cli.cost.prices import Sku
from reprise_cli.cost.scenario import FULL_CPU_MB

if TYPE_CHECKING:
    from reprise_cli.cost.scenario import Scenario

REPLAYERS: Final = 5
"""ReplayConcurrency, its default."""
UNPACKERS: Final = 2
"""infra/replay.yaml."""
TABLE_START: Final = 4_000
ITEM_MOST: Final = 1_000
FIREHOSE_LARGE: Final = 5 * 1024 * 1024
FIREHOSE_SMALL: Final = 1024 * 1024
PUT_LOG_EVENTS: Final = 5_000
ACCOUNT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One quota."""

    what: str
    quota: str
    calls_per_s: float | None
    """What it leaves; None if it is no rate."""
    source: str
    checked: bool
    """Whether the source was read for this project."""
    beyond: str


def capture_limits(scenario: Scenario) -> list[Limit]:
    """Return what bounds capturing, the lowest rate first."""
    line = scenario.line_bytes
    found = [
        Limit(
            what="Firehose, Direct PUT, most regions",
            quota="1 MiB/s",
            calls_per_s=FIREHOSE_SMALL / line,
            source="Firehose quotas",
            checked=True,
            beyond="it scales by itself on throttling, CloudWatch Logs tries again for 24 h; ask for more",
        ),
        Limit(
            what="Firehose in us-east-1, us-west-2, eu-west-1",
            quota="5 MiB/s",
            calls_per_s=FIREHOSE_LARGE / line,
            source="Firehose quotas",
            checked=True,
            beyond="the same",
        ),
        Limit(
            what="unpackers, two at once",
            quota="MaximumConcurrency 2",
            calls_per_s=UNPACKERS / (measured.UNPACK_CPU_S * _slower(scenario)),
            source="infra/replay.yaml; CPU of the bench",
            checked=True,
            beyond="objects wait in S3; more of them, or memory to 1,769 MB, in the template",
        ),
        Limit(
            what="PutLogEvents of the library, account and region",
            quota="5,000/s",
            calls_per_s=PUT_LOG_EVENTS,
            source="CloudWatch Logs quotas; a request is 1 MB at most",
            checked=False,
            beyond="adjustable; the invoker writes to stdout, and is not bound by it",
        ),
        Limit(
            what="concurrency of the account, shared by the invoker",
            quota="1,000 at once",
            calls_per_s=ACCOUNT / scenario.target_s if scenario.target_s else None,
            source="Lambda quotas",
            checked=False,
            beyond="InvokerReservedConcurrency, the library, or more concurrency",
        ),
    ]
    return sorted(found, key=_rate)


def replay_limits(scenario: Scenario) -> list[Limit]:
    """Return what bounds the way back, the lowest rate first."""
    batch_s = measured.REPLAY_CPU_S * measured.REPLAY_BATCH * _slower(scenario) + scenario.target_s
    writes = write_units_of_a_call(scenario)
    found = [
        Limit(
            what="replayers, ReplayConcurrency",
            quota="5 batches of 10 at once",
            calls_per_s=REPLAYERS * measured.REPLAY_BATCH / batch_s,
            source="infra/replay.yaml; CPU of the bench",
            checked=True,
            beyond="raise it, to 1,000; Lambda polls with 5, and adds 300 a minute, to 1,250",
        ),
        Limit(
            what="the ledger, a new table on demand",
            quota="4,000 write units/s",
            calls_per_s=TABLE_START / writes,
            source="DynamoDB, on-demand capacity",
            checked=True,
            beyond="it grows, to twice the last peak in 30 minutes; warm throughput sets it beforehand",
        ),
        Limit(
            what="a table's quota of the account",
            quota="40,000 write units/s",
            calls_per_s=10 * TABLE_START / writes,
            source="DynamoDB quotas",
            checked=True,
            beyond="adjustable",
        ),
        Limit(
            what="the gate of one target: three writes a batch",
            quota="1,000 write units/s an item",
            calls_per_s=ITEM_MOST * measured.REPLAY_BATCH / measured.GATE_WRITES_PER_BATCH,
            source="DynamoDB, partitions",
            checked=True,
            beyond="another stack for a share of the calls: an item is in one partition",
        ),
        Limit(
            what="the gate of one target: calls given up, 1.1 writes each",
            quota="1,000 write units/s an item",
            calls_per_s=ITEM_MOST / measured.LETTER_GATE_WRITES,
            source="DynamoDB, partitions",
            checked=True,
            beyond="a replayer that cannot write the gate makes one call at a time",
        ),
    ]
    return sorted(found, key=_rate)


def stores() -> list[Limit]:
    """Return what bounds how much may be there, not how fast it comes."""
    return [
        Limit(
            what="replay queue, in flight or hidden",
            quota="120,000 messages",
            calls_per_s=None,
            source="SQS quotas, standard queue",
            checked=True,
            beyond="a backlog stays folded in S3; 20 s of the target's drain are unfolded",
        ),
        Limit(
            what="fair queues",
            quota="no quota of groups found",
            calls_per_s=None,
            source="SQS, fair queues; a group is a target",
            checked=False,
            beyond="they keep one target's messages from delaying others', and add no room in flight",
        ),
        Limit(
            what="an id's row",
            quota="1,000 write units/s",
            calls_per_s=None,
            source="DynamoDB, partitions",
            checked=True,
            beyond="ids are spread by hash; only one key that is called over and over comes near",
        ),
        Limit(
            what="a log event, a batch of them",
            quota="1 MB, 1 MB",
            calls_per_s=None,
            source="CloudWatch Logs API; lines stay below 200 KB",
            checked=True,
            beyond="longer payloads are claim checks in S3",
        ),
    ]


def write_units_of_a_call(scenario: Scenario) -> float:
    """Return the write units of one call that is replayed at once, with its share of batch and object."""
    used = bill([*unpack_uses(scenario, scenario.calls), *replay_uses(scenario, scenario.calls)])
    units = sum(use.count for use in used.uses if use.sku is Sku.WRITE_UNIT)
    return units / scenario.calls


def _slower(scenario: Scenario) -> float:
    return FULL_CPU_MB / min(scenario.memory_mb, FULL_CPU_MB)


def _rate(limit: Limit) -> float:
    return float("inf") if limit.calls_per_s is None else limit.calls_per_s
