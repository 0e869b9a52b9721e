"""What the benches and tests of this repository counted: requests and bytes, by station.

Requests do not depend on the machine. CPU does, and that of Lambda differs: it stands here as an
assumption. Source of requests: `DETAIL=1 bench/cost_per_call.py`, 300 calls of 1,013 bytes a station, less
what the bench itself asks for (an object and a gate put). Of bytes logged: the same handlers, INFO.
"""

from __future__ import annotations

from typing import Final

from reprise.monitor.read_back import EVERY_S, OVERLAP_S

# --- One captured call ---

LINE_BYTES: Final = 851
"""A capture line beside its payload: 1,864 bytes with one of 1,013."""
INVOKER_METRIC_BYTES: Final = 230
"""The invoker's line of metrics for a captured call."""
MESSAGE_BYTES: Final = 844
"""A message of the replay queue beside its payload: 1,857 bytes with one of 1,013."""
ROW_BYTES: Final = 590
"""A new row of the ledger, 587 bytes where function and stack have names of six letters; a test makes one."""
LEASE_BYTES: Final = 70
"""What a lease adds to a row: owner and instant."""
ATTEMPT_BYTES: Final = 260
"""What an attempt that succeeded adds to a row's history, with a request id of Lambda's length."""
FAILED_ATTEMPT_BYTES: Final = 400
"""Assumed of an attempt that failed: the same, and a message."""
MAX_HISTORY: Final = 20
"""Attempts that a row keeps (`reprise.ledger`)."""
INLINE_RESULT_BYTES: Final = 2_048
"""Longer late results are objects of S3 (`reprise.capturing.status`)."""
INLINE_PAYLOAD_BYTES: Final = 168 * 1024 - 2
"""Longer payloads are claim checks, if they do not shrink: a line of 200 KB less 32, and two quotes."""

UNPACK_WRITES_PER_CALL: Final = 1.0
"""An INSERT a call; twelve requests carry 300, and are billed by the item."""
UNPACK_WRITES_PER_OBJECT: Final = 3.0
"""The object's mark, the gate, the books."""
INDEX_PAGE: Final = 100
"""Calls that a page of the index lists (`reprise.unpack.enqueue`); an object of fewer has a page, too."""
INDEX_BYTES: Final = 40
"""A call in a page: 39 bytes of 283 with UUIDs as ids, compressed."""
UNPACK_READS_PER_OBJECT: Final = 1.0
"""The gate."""
UNPACK_LOG_BYTES: Final = 2
REPLAY_BATCH: Final = 10
"""Messages of a batch of the replay queue (infra/replay.yaml)."""
REPLAY_WRITES_PER_BATCH: Final = 4.0
"""420 updates for 300 calls in 30 batches: 300 of rows, 90 of the gate, 30 of the books. The leases of a
batch are one request more, and are billed by the item."""
GATE_WRITES_PER_BATCH: Final = 3.0
REPLAY_READS_PER_BATCH: Final = 0.65
"""7 to 20 looks at the gate for 30 batches."""
REPLAY_READS_PER_CALL: Final = 1.0
"""The row, read before its lease is taken with those of its batch."""
REPLAY_LOG_BYTES: Final = 106
RETURN_LOG_BYTES: Final = 904
"""The replayer's lines of a call that comes back alone (docs/reference/metrics.md)."""

READ_BACK_READS_PER_CALL: Final = 0.5 * (1 + OVERLAP_S / EVERY_S)
"""Half a read unit a row, as of late, and the overlap, a sixth, once more."""

# --- Calls that end otherwise ---

LETTER_WRITES: Final = 4.2
"""960 updates for 300 calls that were given up, and 300 leases in 30 requests: 900 of rows, 330 of the gate,
30 of the books."""
LETTER_GATE_WRITES: Final = 1.1
LETTER_BYTES: Final = 1_364
"""A dead letter beside its payload, which stands in it twice: 3,390 bytes with one of 1,013."""
LETTER_EVENTS: Final = 1.0
"""Entries of the ten of a PutEvents; each is billed."""
REDRIVE_READS: Final = 1.0
REDRIVE_WRITES: Final = 1.0

# --- An outage ---

COUNTED_OUTAGE_S: Final = 3 * 3_600
COUNTED_OBJECTS: Final = 1_000
TAKING_IN_PER_OBJECT: Final = 3.0
"""Receive, send, delete: 3,000 SQS requests for a thousand objects."""
LOOKS_PER_OBJECT: Final = 3.7
"""3,700 SQS requests in three hours. Source: tests/unit/pipeline/test_backlog_cost.py, bench/RESULTS.md."""
PROBE_REQUESTS: Final = 1_980
"""SQS requests of the replay queue in three hours, each for one call."""
PROBES: Final = 500
"""Invocations that the target refused in three hours: the most that the test lets pass."""

# --- CPU, assumed ---

INVOKER_CPU_S: Final = 0.0010
UNPACK_CPU_S: Final = 0.0006
REPLAY_CPU_S: Final = 0.0033
READ_BACK_CPU_S: Final = 0.0001
"""A line read back and its row: 21 us for the rule alone, the SDK's decoding of both beside it."""
READ_BACK_WAIT_S: Final = 0.0007
"""Its share of the requests: 300 ms a megabyte of lines, 6 ms a hundred rows."""
LETTER_CPU_S: Final = 0.0051
"""CPU seconds a call on two busy cores, bench/cost_per_call.py, medians of three rounds."""
