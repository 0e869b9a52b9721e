"""The facts of a stack that is well, to be changed by each test."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from reprise_cli.doctor.check import CheckStatus, Finding
from reprise_cli.doctor.checks import CHECKS
from reprise_cli.doctor.checks.capture import PATTERN
from reprise_cli.doctor.facts import Facts
from reprise_cli.doctor.policies import Allowances
from reprise_cli.doctor.things import (
    AlarmFacts,
    DriftFacts,
    ExpiryFacts,
    FilterFacts,
    FunctionFacts,
    LambdaLimits,
    LayerFacts,
    MappingFacts,
    NotificationFacts,
    QueueFacts,
    ResourceFacts,
    RoleFacts,
    RuleFacts,
    SourceFacts,
    StackFacts,
    StreamFacts,
    TableFacts,
    TopicFacts,
)

ACCOUNT: Final = "111122223333"
TARGET: Final = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:orders"
LAYER: Final = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:reprise"
TOPIC: Final = f"arn:aws:sns:eu-west-1:{ACCOUNT}:reprise-incidents"
STREAM: Final = f"arn:aws:firehose:eu-west-1:{ACCOUNT}:deliverystream/reprise-capture"
GROUP: Final = "/reprise/reprise/capture"
OUTPUTS: Final = {
    "Version": "1.2.3",
    "InvokerFunction": "reprise-invoker",
    "InvokerFunctionArn": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:reprise-invoker",
    "UnpackerFunction": "reprise-unpacker",
    "ReplayerFunction": "reprise-replayer",
    "TargetArns": TARGET,
    "CaptureLogGroup": GROUP,
    "CaptureStream": "reprise-capture",
    "BucketName": "reprise-bucket",
    "CaptureQueueUrl": "https://sqs/reprise-capture",
    "ReplayQueueUrl": "https://sqs/reprise-replay",
    "DeadLetterQueueUrl": "https://sqs/reprise-dead-letter",
    "LedgerTable": "reprise-ledger",
    "PolicyParameter": "/reprise/reprise/policy",
    "CallersParameter": "/reprise/callers",
    "CallTimeoutSeconds": "305",
    "IncidentTopicArn": TOPIC,
    "LayerArn": f"{LAYER}:7",
}
OUR_FILTER: Final = FilterFacts(name="reprise-capture", pattern=PATTERN, destination=STREAM)
LETS_IN: Final = json.dumps(
    {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::reprise-bucket"}},
            }
        ]
    }
)
CALLER_MAY: Final = frozenset({"lambda:Invoke*", "secretsmanager:*", "ssm:Get*", "logs:*"})


def queue(name: str, **changes: object) -> QueueFacts:
    dead = {"reprise-capture": "reprise-capture-dlq", "reprise-replay": "reprise-dead-letter"}
    settings: dict[str, object] = {
        "arn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}",
        "url": f"https://sqs/{name}",
        "visibility_s": 360,
        "retention_s": 864_000 if name in dead else 1_209_600,
        "messages": 0,
        "dead_letters_to": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{dead[name]}"
        if name in dead
        else None,
        "policy": LETS_IN,
    }
    return QueueFacts(**settings | changes)  # type: ignore[arg-type]


def mapped(function: str, name: str, **changes: object) -> MappingFacts:
    settings: dict[str, object] = {
        "uuid": f"uuid-{function}",
        "state": "Enabled",
        "queue": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}",
        "function": function,
        "reports_failures": True,
    }
    return MappingFacts(**settings | changes)  # type: ignore[arg-type]


def function(name: str, **changes: object) -> FunctionFacts:
    settings: dict[str, object] = {
        "arn": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{name}",
        "role": f"arn:aws:iam::{ACCOUNT}:role/{name}-role",
        "timeout_s": 300,
        "runtime": "python3.13",
        "architecture": "x86_64",
        "layers": (f"{LAYER}:7",),
        "environment": {
            f"REPRISE_{variable}": OUTPUTS[output]
            for variable, output in (
                ("TARGETS", "TargetArns"),
                ("BUCKET", "BucketName"),
                ("LEDGER_TABLE", "LedgerTable"),
                ("REPLAY_QUEUE_URL", "ReplayQueueUrl"),
                ("POLICY_PARAMETER", "PolicyParameter"),
            )
        }
        | {"REPRISE_MAC_SECRET_ARN": "arn:secret"},
        "state": "Active",
        "update": "Successful",
        "recursion": "Allow",
    }
    return FunctionFacts(**settings | changes)  # type: ignore[arg-type]


def caller(**changes: object) -> FunctionFacts:
    environment = {"AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9350"}
    return function("web-shop", **{"environment": environment, **changes})


def alarm(**changes: object) -> AlarmFacts:
    settings: dict[str, object] = {
        "state": "OK",
        "is_enabled": True,
        "actions": (),
        "says": "It is late. docs/runbooks/waiting.md",
    }
    return AlarmFacts(**settings | changes)  # type: ignore[arg-type]


def facts(**changes: object) -> Facts:
    names = ("reprise-capture", "reprise-capture-dlq", "reprise-replay", "reprise-dead-letter")
    settings: dict[str, object] = {
        "stack": "reprise",
        "region": "eu-west-1",
        "account": ACCOUNT,
        "command_version": "1.2.3",
        "stacks": {"reprise": StackFacts(status="CREATE_COMPLETE")},
        "outputs": OUTPUTS,
        "parameters": {"RetentionDays": "30"},
        "resources": (
            ResourceFacts(stack="Alarms", logical="W", kind="AWS::CloudWatch::Alarm", physical="w"),
            ResourceFacts(
                stack="Capture", logical="StreamRole", kind="AWS::IAM::Role", physical="s-role"
            ),
            ResourceFacts(
                stack="Capture",
                logical="SubscriptionRole",
                kind="AWS::IAM::Role",
                physical="f-role",
            ),
        ),
        "drift": {"reprise": DriftFacts(status="IN_SYNC")},
        "limits": LambdaLimits(concurrent=1000, unreserved=900),
        "log_groups": {GROUP: 30},
        "filters": {GROUP: (OUR_FILTER,)},
        "own_filters": {"/reprise/reprise/replayer": ()},
        "stream": StreamFacts(
            status="ACTIVE",
            bucket="arn:aws:s3:::reprise-bucket",
            prefix="captured/!{timestamp:yyyy}/",
            role=f"arn:aws:iam::{ACCOUNT}:role/s-role",
        ),
        "notifications": (
            NotificationFacts(
                queue=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:reprise-capture",
                prefix="captured/",
                events=("s3:ObjectCreated:*",),
            ),
        ),
        "is_versioned": True,
        "is_private": True,
        "expiries": (ExpiryFacts(prefix="captured/", days=30),),
        "queues": {name: queue(name) for name in names},
        "mappings": (
            mapped("reprise-unpacker", "reprise-capture"),
            mapped("reprise-replayer", "reprise-replay"),
        ),
        "functions": {
            name: function(name)
            for name in ("reprise-invoker", "reprise-unpacker", "reprise-replayer")
        },
        "roles": {
            "r": RoleFacts(
                has=Allowances(frozenset({"s3:*"})), wanted=Allowances(frozenset({"s3:Get"}))
            )
        },
        "layers": {f"{LAYER}:7": LayerFacts(runtimes=("python3.13",), architectures=("x86_64",))},
        "table": TableFacts(
            status="ACTIVE",
            billing="PAY_PER_REQUEST",
            ttl_attribute="expires_at_s",
            has_recovery=True,
        ),
        "policy": "{}",
        "sources": {"web-shop": SourceFacts(current="k1", names=("k1",))},
        "targets": {TARGET: function("orders", recursion=None)},
        "alarms": {"w": alarm()},
        "topic": TopicFacts(confirmed=1, pending=0),
        "rule": RuleFacts(state="ENABLED", targets=(TOPIC,)),
        "schedules": {"reprise-observer": "ENABLED"},
        "metrics": {"StoreFaults": 0.0, "LostLines": None},
        "callers": {"web-shop": caller()},
        "caller_roles": {"web-shop": Allowances(CALLER_MAY)},
        "callers_said": json.dumps(
            {
                "bucket": OUTPUTS["BucketName"],
                "capture_log_group": GROUP,
                "ledger_table": OUTPUTS["LedgerTable"],
                "targets": [TARGET],
            }
        ),
        "aliases": {"orders": "$LATEST"},
    }
    return Facts(**settings | changes)  # type: ignore[arg-type]


def with_environment(**variables: str) -> dict[str, Any]:
    return {"environment": {**function("any").environment, **variables}}


def with_stream(**changes: Any) -> Any:
    return {"stream": replace(facts().stream, **changes)}  # type: ignore[type-var]


def with_table(**changes: Any) -> Any:
    return {"table": replace(facts().table, **changes)}  # type: ignore[type-var]


def run(name: str, of: Facts) -> tuple[Finding, ...]:
    """Return what one check finds."""
    (check,) = [each for each in CHECKS if each.name == name]
    return check.run(of)


def problems(name: str, of: Facts) -> list[str]:
    """Return what a check says is wrong."""
    return [each.says for each in run(name, of) if each.status is CheckStatus.PROBLEM]
