"""What an outage uses beside the calls that it captures: looks at folded objects, and probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise_cli.cost import measured, rest
from reprise_cli.cost.bill import Use
from reprise_cli.cost.calls import call_uses
from reprise_cli.cost.prices import Sku
from reprise_cli.cost.scenario import alone_requests, gb_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise_cli.cost.scenario import Scenario

LOOKS: Final = "looks"
PROBES: Final = "probes"
SPLITS: Final = "splitting"
METRICS: Final = "metrics"
STACK_METRICS: Final = 30 - rest.STACK_GAUGES
TARGET_METRICS: Final = 22 + 2 - rest.TARGET_GAUGES
"""At most, with a reason and an outcome each; billed by the hour (docs/reference/metrics.md). Two of the
stack and one of a target have data only where the log path lost something."""
HOUR_S: Final = 3_600
MONTH_H: Final = rest.MONTH_MIN / 60
LOOK_CPU_S: Final = 0.01
"""Assumed: what a look at a folded object takes of the unpacker; ten share an invocation."""


def outage_uses(scenario: Scenario) -> Iterator[Use]:
    """Return all that an outage uses: its calls, their waiting, and the way back."""
    yield from call_uses(scenario, scenario.calls)
    yield from look_uses(scenario)
    yield from probe_uses(scenario)
    yield from metric_uses(scenario)
    if scenario.targets > 1:
        yield from split_uses(scenario)


def look_uses(scenario: Scenario) -> Iterator[Use]:
    """Return what folded objects use: they are taken in, looked at, and unfolded.

    Counted for three hours and a thousand objects, and taken in proportion to both. An object of several
    targets is one message for each.
    """
    folded = scenario.objects * scenario.targets
    looks = folded * measured.LOOKS_PER_OBJECT * _share(scenario)
    # The unpacker has the object's own message; folding sends another, to be received and deleted.
    requests = folded * measured.TAKING_IN_PER_OBJECT + looks
    seconds = gb_seconds(LOOK_CPU_S, 0, scenario.memory_mb)
    yield Use(LOOKS, Sku.SQS_REQUEST, requests, "three an object, and 3.7 in three hours")
    yield Use(LOOKS, Sku.LAMBDA_REQUEST, looks, "one a look at most")
    yield Use(LOOKS, Sku.LAMBDA_GB_S, looks * seconds, "10 ms of CPU each, assumed")
    yield Use(LOOKS, Sku.S3_GET, folded, "each is read again to unfold it")
    yield Use(
        LOOKS,
        Sku.READ_UNIT,
        scenario.calls + looks,
        "each row, before its message is sent; the gate",
    )


def probe_uses(scenario: Scenario) -> Iterator[Use]:
    """Return what finding out uses whether it is over, for each target that is out."""
    share = _share(scenario) * scenario.targets
    requests = measured.PROBE_REQUESTS * share * alone_requests(scenario.message_bytes)
    batches = measured.PROBE_REQUESTS * share
    probes = measured.PROBES * share
    seconds = gb_seconds(measured.REPLAY_CPU_S, 0, scenario.memory_mb)
    writes = 2 * probes + batches * measured.REPLAY_WRITES_PER_BATCH
    yield Use(PROBES, Sku.SQS_REQUEST, requests, "1,980 a target in three hours")
    yield Use(PROBES, Sku.FAIR_REQUEST, requests, "the same")
    yield Use(PROBES, Sku.LAMBDA_REQUEST, batches, "one a request at most")
    yield Use(PROBES, Sku.LAMBDA_GB_S, batches * seconds, "CPU of the bench, assumed")
    yield Use(PROBES, Sku.WRITE_UNIT, writes, "row and gate of a probe; at most 500 in three hours")
    yield Use(PROBES, Sku.READ_UNIT, batches, "the gate")


def split_uses(scenario: Scenario) -> Iterator[Use]:
    """Return what it takes to part objects by target, once each."""
    parts = min(scenario.calls, scenario.objects * scenario.targets)
    yield Use(SPLITS, Sku.S3_PUT, parts, "a part a target and object")


def metric_uses(scenario: Scenario) -> Iterator[Use]:
    """Return the metrics that have data while calls are captured and replayed, beside the gauges at rest."""
    metrics = STACK_METRICS + TARGET_METRICS * scenario.targets
    hours = scenario.outage_s / HOUR_S + 1
    yield Use(
        METRICS, Sku.METRIC_MONTH, metrics * hours / MONTH_H, "for the outage, and an hour after"
    )


def _share(scenario: Scenario) -> float:
    return scenario.outage_s / measured.COUNTED_OUTAGE_S
