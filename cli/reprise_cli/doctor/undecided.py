"""The rows of docs/explanation/not-run-on-aws.md, and which checks look at each; the rest takes time."""

from __future__ import annotations

from typing import Final

ROWS: Final[dict[str, tuple[str, ...]]] = {
    "alarms that the local engine is spared (`IsOnAws`)": ("alarm-there", "alarm-data"),
    "dashboard": (),
    "the dashboard's page": (),
    "incidents": ("incident-heard", "incident-rule", "metric-zero"),
    "Slack": (),
    "saved queries, composite alarm, alarms by metric math": ("alarm-there", "alarm-data"),
    "front doors": ("front-doors",),
    "front doors' senders": (),
    "traces": (),
    "capture line of 200 KB on stdout": (),
    "subscription filter": ("filter-there", "filter-pattern", "filter-destination"),
    "rows and leases in batches": ("metric-zero",),
    "index of calls": (),
    "the thin client": (),
    "recursive-loop detection": ("recursion-allowed", "metric-zero"),
    "SQS fair queues": (),
    "reserved concurrency 0": ("function-held", "target-held"),
    "Firehose's roles": ("stream-role", "role-actions"),
    "claim check that is gone": (),
    "reserved concurrency in a small account": ("account-room",),
    "a full account": ("account-room", "metric-zero"),
    "sources": ("source-keys",),
    "upgrade from 0.1.0": (),
    "`Architecture=arm64`": (),
    "functions in a VPC": ("function-network",),
    "a target of more than 350 s": ("target-timeout",),
    "what a first deployment that fails leaves": ("stack-complete",),
    "customer KMS key": ("customer-key",),
    "jobs in the stack": (),
    "add-ons": ("stack-complete",),
    "late results": (),
    "a job definition among `Targets`": (),
    "the packaged template": (),
    "the Serverless Application Repository": (),
    "the construct for CDK": (),
    "the Terraform module": (),
    "billing": (),
    "schedules": (),
    "the boto3 plugin": ("caller-way-in", "caller-role"),
    "the local endpoint": ("caller-endpoint", "caller-layer", "caller-source", "caller-role"),
    "callers' managed policy": (),
    "an extension's standard output": (),
    "runner's `dynamodb:LeadingKeys`": (),
    "the invoker's wait for a call of its own": (),
    "reconciler": ("queue-lets-s3-send", "metric-zero"),
    "lines read back": ("schedule-on", "metric-zero"),
    "what a door answers to a throttle": (),
    "extensions": (),
    "warm pings": (),
    "`reprise doctor`": (),
    "`addons/batch`": (),
}
"""By the first cell of each row. A test holds it to the page."""

UNDECIDED: Final = tuple(point for point, checks in ROWS.items() if not checks)
"""What no look at an account decides."""
