"""What captured calls use, station by station, however long they waited: pure rules.

The target's own run is not counted: it runs without Reprise, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise_cli.cost import measured
from reprise_cli.cost.bill import Use
from reprise_cli.cost.prices import GB_BYTES, Sku
from reprise_cli.cost.scenario import (
    alone_requests,
    batch_requests,
    firehose_bytes,
    gb_seconds,
    write_units,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reprise_cli.cost.scenario import Scenario

INVOKER: Final = "invoker"
CAPTURE: Final = "log to S3"
UNPACKER: Final = "unpacker"
REPLAYER: Final = "replayer"
RETURNS: Final = "failed attempts"
READ_BACK: Final = "reconciler"
KEPT: Final = "kept 30 days"
READ_BACK_MB: Final = 512
"""infra/reconcile.yaml."""
INVOKER_MB: Final = 512
"""infra/invoker.yaml."""
REFUSAL_S: Final = 0.05
"""Assumed: how long Lambda takes to refuse the call that the invoker makes."""
LOG_SHARE: Final = 0.15
"""Assumed, as AWS's examples of log storage do: what compression leaves of a log."""
DELETES: Final = 1 / measured.REPLAY_BATCH


def capture_uses(scenario: Scenario, calls: int) -> Iterator[Use]:
    """Return what it takes to write calls down."""
    yield Use(INVOKER, Sku.LAMBDA_REQUEST, calls, "one a call")
    seconds = gb_seconds(measured.INVOKER_CPU_S, REFUSAL_S, INVOKER_MB)
    yield Use(INVOKER, Sku.LAMBDA_GB_S, calls * seconds, "CPU and a refusal of 50 ms, assumed")
    logged = calls * (scenario.line_bytes + measured.INVOKER_METRIC_BYTES)
    yield Use(INVOKER, Sku.LOG_GB, logged / GB_BYTES, "capture line and metrics")
    if scenario.is_claim_check:
        yield Use(INVOKER, Sku.S3_PUT, calls, "claim check")
    billed = firehose_bytes(scenario.line_bytes)
    yield Use(
        CAPTURE, Sku.FIREHOSE_GB, calls * billed / GB_BYTES, "a record a line: the worst case"
    )
    yield Use(
        CAPTURE, Sku.S3_PUT, scenario.objects * calls / scenario.calls, "an object a minute or 5 MB"
    )


def unpack_uses(scenario: Scenario, calls: int) -> Iterator[Use]:
    """Return what it takes to enter calls in the ledger and to send them."""
    objects = scenario.objects * calls / scenario.calls
    cpu = gb_seconds(measured.UNPACK_CPU_S, 0, scenario.memory_mb)
    yield Use(UNPACKER, Sku.LAMBDA_REQUEST, objects, "one an object")
    yield Use(UNPACKER, Sku.LAMBDA_GB_S, calls * cpu, "CPU of the bench, assumed")
    yield Use(UNPACKER, Sku.S3_GET, objects, "one an object")
    pages = max(objects, calls / measured.INDEX_PAGE)
    yield Use(UNPACKER, Sku.S3_PUT, pages, "a page of the index a hundred calls")
    rows = calls * write_units(measured.ROW_BYTES) * measured.UNPACK_WRITES_PER_CALL
    others = objects * measured.UNPACK_WRITES_PER_OBJECT
    yield Use(
        UNPACKER, Sku.WRITE_UNIT, rows + others, "a row a call; mark, gate and books an object"
    )
    yield Use(UNPACKER, Sku.READ_UNIT, objects * measured.UNPACK_READS_PER_OBJECT, "the gate")
    send = calls * batch_requests(scenario.message_bytes)
    yield Use(
        UNPACKER, Sku.SQS_REQUEST, send + 3 * objects, "sends by ten; an object's own message"
    )
    yield Use(UNPACKER, Sku.FAIR_REQUEST, send, "a group a target")
    yield Use(UNPACKER, Sku.LOG_GB, calls * measured.UNPACK_LOG_BYTES / GB_BYTES, "metrics")


def replay_uses(scenario: Scenario, calls: int) -> Iterator[Use]:
    """Return what the attempt uses that ends a call."""
    batches = calls / measured.REPLAY_BATCH
    yield Use(REPLAYER, Sku.LAMBDA_REQUEST, batches, "one a batch of ten")
    cpu_s = measured.REPLAY_CPU_S * measured.REPLAY_BATCH
    seconds = gb_seconds(cpu_s, scenario.target_s, scenario.memory_mb)
    yield Use(
        REPLAYER, Sku.LAMBDA_GB_S, batches * seconds, "CPU of the bench; waits for the target"
    )
    lease = write_units(_row_bytes(scenario, result=False))
    settle = write_units(_row_bytes(scenario, result=True))
    writes = calls * (lease + settle) + batches * measured.REPLAY_WRITES_PER_BATCH
    yield Use(REPLAYER, Sku.WRITE_UNIT, writes, "lease and end of a call; gate and books a batch")
    reads = calls * measured.REPLAY_READS_PER_CALL + batches * measured.REPLAY_READS_PER_BATCH
    yield Use(REPLAYER, Sku.READ_UNIT, reads, "the row of a call; the gate")
    receive = calls * (batch_requests(scenario.message_bytes) + DELETES)
    yield Use(REPLAYER, Sku.SQS_REQUEST, receive, "receives and deletes by ten")
    yield Use(REPLAYER, Sku.FAIR_REQUEST, receive, "the same")
    yield Use(REPLAYER, Sku.LOG_GB, calls * measured.REPLAY_LOG_BYTES / GB_BYTES, "metrics")
    if scenario.is_claim_check:
        yield Use(REPLAYER, Sku.S3_GET, calls, "claim check")
    if _is_long(scenario):
        yield Use(REPLAYER, Sku.S3_PUT, calls, "a late result of more than 2 KB")


def return_uses(scenario: Scenario, failures: float) -> Iterator[Use]:
    """Return what failed attempts use; their calls come back one by one."""
    row_bytes = _row_bytes(scenario, result=False)
    writes = 2 * write_units(row_bytes) + measured.REPLAY_WRITES_PER_BATCH
    seconds = gb_seconds(measured.REPLAY_CPU_S, scenario.target_s, scenario.memory_mb)
    requests = alone_requests(scenario.message_bytes) + 1
    yield Use(RETURNS, Sku.LAMBDA_REQUEST, failures, "one each")
    yield Use(
        RETURNS, Sku.LAMBDA_GB_S, failures * seconds, "CPU of the bench; waits for the target"
    )
    yield Use(RETURNS, Sku.WRITE_UNIT, failures * writes, "lease, end, gate and books")
    yield Use(RETURNS, Sku.READ_UNIT, failures, "the gate")
    yield Use(
        RETURNS, Sku.SQS_REQUEST, failures * requests, "a receive, and a change of visibility"
    )
    yield Use(RETURNS, Sku.FAIR_REQUEST, failures * requests, "the same")
    yield Use(RETURNS, Sku.LOG_GB, failures * measured.RETURN_LOG_BYTES / GB_BYTES, "metrics")
    if scenario.is_claim_check:
        yield Use(RETURNS, Sku.S3_GET, failures, "claim check")


def read_back_uses(calls: int) -> Iterator[Use]:
    """Return what it takes to look, from the log group, whether calls have arrived."""
    reads = calls * measured.READ_BACK_READS_PER_CALL
    yield Use(READ_BACK, Sku.READ_UNIT, reads, "half a unit a row; every sixth is read twice")
    seconds = gb_seconds(measured.READ_BACK_CPU_S, measured.READ_BACK_WAIT_S, READ_BACK_MB)
    yield Use(READ_BACK, Sku.LAMBDA_GB_S, calls * seconds, "CPU and waits, assumed")


def kept_uses(scenario: Scenario, calls: int) -> Iterator[Use]:
    """Return what keeping calls for RetentionDays, 30, uses."""
    line_gb = calls * scenario.line_bytes / GB_BYTES
    claim = scenario.payload_bytes if scenario.is_claim_check else 0
    result = scenario.reply_bytes if _is_long(scenario) else 0
    # The bucket keeps versions: what has expired stays for as long again (infra/capture.yaml).
    objects_gb = 2 * (line_gb + calls * (claim + result + measured.INDEX_BYTES) / GB_BYTES)
    rows_gb = calls * _row_bytes(scenario, result=True) / GB_BYTES
    yield Use(
        KEPT, Sku.LOG_GB_MONTH, line_gb * LOG_SHARE, "capture lines, compressed to 15 %, assumed"
    )
    yield Use(KEPT, Sku.S3_GB_MONTH, objects_gb, "objects, and for as long again as old versions")
    yield Use(KEPT, Sku.TABLE_GB_MONTH, rows_gb, "rows")
    yield Use(KEPT, Sku.RECOVERY_GB_MONTH, rows_gb, "rows")


def call_uses(scenario: Scenario, calls: int) -> Iterator[Use]:
    """Return all that so many captured calls use until they have ended, and while they are kept."""
    yield from capture_uses(scenario, calls)
    yield from unpack_uses(scenario, calls)
    yield from replay_uses(scenario, calls)
    yield from return_uses(scenario, calls * scenario.failures)
    yield from read_back_uses(calls)
    yield from kept_uses(scenario, calls)


def letter_uses(scenario: Scenario, letters: int) -> Iterator[Use]:
    """Return what giving up uses, in place of the replay that ends a call."""
    station = "dead letter"
    batches = letters / measured.REPLAY_BATCH
    letter_bytes = measured.LETTER_BYTES + 2 * scenario.carried_bytes
    requests = batch_requests(scenario.message_bytes) + DELETES
    sends = alone_requests(letter_bytes)
    seconds = gb_seconds(measured.LETTER_CPU_S, 0, scenario.memory_mb)
    yield Use(station, Sku.LAMBDA_REQUEST, batches, "one a batch of ten")
    yield Use(station, Sku.LAMBDA_GB_S, letters * seconds, "CPU of the bench, assumed")
    yield Use(
        station,
        Sku.WRITE_UNIT,
        letters * measured.LETTER_WRITES,
        "three of the row; gate and books",
    )
    yield Use(station, Sku.SQS_REQUEST, letters * (requests + sends), "a letter each")
    yield Use(station, Sku.FAIR_REQUEST, letters * requests, "the replay queue")
    yield Use(station, Sku.EVENT, letters * measured.LETTER_EVENTS, "an event each")


def redrive_uses(scenario: Scenario, letters: int) -> Iterator[Use]:
    """Return what bringing letters back uses; their replay is another."""
    station = "redrive"
    back = batch_requests(scenario.message_bytes)
    letter = batch_requests(measured.LETTER_BYTES + 2 * scenario.carried_bytes)
    yield Use(station, Sku.READ_UNIT, letters * measured.REDRIVE_READS, "the row")
    yield Use(station, Sku.WRITE_UNIT, letters * measured.REDRIVE_WRITES, "the row")
    yield Use(
        station, Sku.SQS_REQUEST, letters * (letter + back + DELETES), "letter, message, delete"
    )
    yield Use(station, Sku.FAIR_REQUEST, letters * back, "the message")


def _is_long(scenario: Scenario) -> bool:
    return scenario.reply_bytes > measured.INLINE_RESULT_BYTES


def _row_bytes(scenario: Scenario, *, result: bool) -> int:
    """Return a row's bytes when it is leased for its last attempt, or with its result."""
    before = measured.ROW_BYTES + measured.LEASE_BYTES
    failed = min(scenario.failures, measured.MAX_HISTORY)
    before += int(failed * measured.FAILED_ATTEMPT_BYTES)
    if not result:
        return before
    return before + measured.ATTEMPT_BYTES + (0 if _is_long(scenario) else scenario.reply_bytes)
