"""The words of docs/reference/cost.md, between its tables."""

from __future__ import annotations

from typing import Final

HEAD: Final = """\
# What it costs, and where one stack ends

Written by `python -m reprise_cli.cost`; a test holds that this is what it prints. `reprise cost`
reckons the same for your numbers, without AWS and without a stack:

```
reprise cost --calls 1000000 --outage 3h --payload-bytes 4000 --targets 5 --failures 0.5 --json
```

Requests and bytes were counted, by `bench/cost_per_call.py` and
`tests/unit/pipeline/test_backlog_cost.py`, on the product's own handlers. **Nothing was read from a
bill**: no stack has run on AWS. Prices are list prices of us-east-1 in USD, without free tier, and are
at the end, each with the year of its list and whether it was checked. The targets' own runs are not
counted, nor taxes, VPC endpoints, X-Ray or a KMS key of yours. `<0.01` is less than half a cent."""

CALLS: Final = """
- **The ledger is the dearest.** A row is billed by the kilobyte, and a settled one has some 920 bytes
  beside its result: a reply of more than about 100 bytes costs a second unit for the last write, 0.63.
- **Looking for what the log path lost** (`reconciler`) is a row read for each call, at half price, and
  some seconds of Lambda: 0.08. Without `read-back` among `Options` it costs nothing, and finds nothing.
- **The index of calls**, which `reprise calls list` reads, is a PUT for a hundred calls: 0.05.
- **A reply of more than 2,048 bytes** is an object of its own, and its PUT is 5.00 a million: nearly as
  much as all else together.
- **Long payloads**: each byte is paid for in the log, in Firehose and in SQS's chunks of 64 KB. A
  payload above 172,030 bytes is a claim check in S3, and so costs far less than one just below: the price
  falls at that line, and only there. (168 KB: a line has 200 KB at most, 32 of them for all but the
  payload, and two bytes are its quotes. One that shrinks to fit travels compressed in its line.)
- **Memory**: below 1,769 MB a function has less than one vCPU, so its CPU takes as much longer as it is
  cheaper; only waiting for the target grows dearer with memory."""

OUTAGE: Final = """
Waiting costs little, since the backlog stays in S3, one queue message an object. Looks and probes were
counted for three hours, a thousand objects and a million calls (3,000 requests to take objects in,
3,700 looks, 1,980 of the replay queue), and are taken in proportion to objects and hours: a longer
outage looks less often, so this is more than it will be. Each look and each request of a probe is taken
as an invocation of its own, which it is at most. An object is what Firehose gathers in 60 s or 5 MB,
taken as not compressed; with `--targets`, one message each a target."""

REST: Final = """
**{usual} USD** where the stack's dashboard is among an account's first three, which are free: what
README, questions and tutorial say. It counts one target, all alarms, and the polling of three empty
queues. Each further target adds four gauges, 1.20. `addons/schedules` adds a secret, an alarm
and a polled queue; `addons/replies` the same; `addons/batch` nothing. Metrics that have data only while
calls are captured stand with the outage."""

LIMITS: Final = """
## Where one stack ends

Calls a second are a quota divided by what a call was counted to use, for payloads of 1,000 bytes and
targets of 0.2 s: reckoned, not measured. Lines are taken as not compressed, though CloudWatch Logs
sends them so. `reprise cost` does not ask your account's quotas."""

FIRST: Final = """
Sources: [Firehose quotas](https://docs.aws.amazon.com/firehose/latest/dev/limits.html) ·
[DynamoDB](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html) ·
[CloudWatch Logs quotas](https://docs.aws.amazon.com/general/latest/gr/cwl_region.html) ·
[Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html),
[SQS as an event source](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html) ·
[SQS, fair queues](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html).

**What saturates first.** On the way in Firehose, at 1 MiB/s outside the three large regions; it grows
by itself, and meanwhile CloudWatch Logs tries again. Lines may be late, and are lost only after 24 h of
refusals. On the way back `ReplayConcurrency`, on purpose: targets are meant to be the bottleneck.
Raised to 100, the ledger's table is next on its first day, then the gate of a single target. None of
these loses calls: what cannot be taken waits in S3 or in its queue. Two others do, and both tell the
caller: an account that is full refuses the invoker, and a line that PutLogEvents does not confirm is
not called captured. Beyond the gate's rate there is one way, a second stack with a share of the
callers."""

BATCHING: Final = """
## What batches save, and what not

DynamoDB bills units by item, not by request. `BatchExecuteStatement` enters 25 rows with one request
and is billed 25 writes, as 25 PutItems are; it saves requests, round trips and CPU (0.3 of a PutItem's
CPU a call, by the bench), and no write unit. A write whose condition fails is billed, too. So a
captured call that succeeds at once costs {units:.2f} write units, whatever the batch: one to enter it,
one for its lease, one or two for its end, and a share of its batch's four for gate and books. Only the
last is saved by full batches. A transaction would double them; there is none.

SQS bills by request of 64 KB: a batch of ten messages of 6 KB is one request, one of 12 KB two. So
batches save nine of ten requests for short messages, and none for messages of 64 KB. Lambda's event
source mapping receives and deletes by ten where so many wait. EventBridge bills each entry of a
PutEvents. Firehose rounds each record up to 5 KB; how many lines CloudWatch Logs puts into one is not
documented, so a record a line is reckoned here, the worst case. (Vended logs have another price,
without rounding; whether a subscription's records count as such is **not checked**.)"""

PRICES: Final = """
## Prices

us-east-1, on demand, first tier. "Checked" means: agrees with what this repository recorded of AWS's
lists, or with dated public price guides; the others are as AWS's price pages are generally known to
say. None was read from AWS for this page. They are one table, `cli/reprise_cli/cost/prices.py`.
"""

ASSUMED: Final = """
## What is assumed

- Lambda's CPU: that of the bench on two busy cores, taken as a full vCPU's. Lambda's differs; the
  GB-seconds of unpacker, replayer and invoker move with it.
- A refusal takes 50 ms, a target 0.2 s; ten calls of a batch wait for it at the same time. A look takes
  10 ms of CPU.
- Names of ordinary length. Longer names of functions and stacks make lines and rows longer.
- No idempotency keys: a call with one reads its row once more, and claims it if calls of its target
  wait.
- Lambda polls an empty queue by five connections of 20 s. Logs are kept compressed to 15 %. Everything
  is kept for 30 days, objects for 30 more as old versions.
- Fair queues cost 0.10 more for each request of the replay queue."""
