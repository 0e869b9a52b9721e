"""What the deployed roles may do, and what of that they were seen to do."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.world import World


MAPPING = "Lambda's event source mapping asks on the role's behalf; the engine's asks no IAM"
VERSION = "what names no version: our own notifications, or a bucket that gave a claim check none"
REASONS = (
    ("*", "logs:CreateLogStream", "*", "Lambda writes the log; the engine's asks no IAM"),
    ("*", "logs:PutLogEvents", "*", "Lambda writes the log; the engine's asks no IAM"),
    ("unpacker", "sqs:*", "*-capture", MAPPING),
    (
        "replayer",
        "sqs:*",
        "*-replay",
        f"{MAPPING}; a message is sent afresh after days, or 500 receives",
    ),
    ("letter-jobs", "sqs:*", "*-letter-jobs", f"{MAPPING}; a job that takes more than one run"),
    ("letter-jobs", "sqs:SendMessage", "*-letter-jobs-dlq", "an order that cannot be carried out"),
    ("letter-jobs", "sqs:*", "*-capture*", "capture objects that were given up, brought back"),
    ("letter-jobs", "dynamodb:*", "*", "letters without a row, discards, writes that are repeated"),
    ("*", "lambda:InvokeFunction", "*:[*]", "calls that name a version or an alias"),
    ("*", "secretsmanager:GetSecretValue", "*/mac-[?]*", "lines that 0.1.0 signed"),
    (
        "invoker",
        "s3:ListBucket",
        "*",
        "an object that is gone is told from one that may not be read",
    ),
    (
        "replayer",
        "s3:ListBucket",
        "*",
        "an object that is gone is told from one that may not be read",
    ),
    ("invoker", "s3:PutObject", "*/results/*", "a long live reply under a captured call's key"),
    ("observer", "cloudwatch:GetMetricData", "*", "whether a target has run well since"),
    ("observer", "dynamodb:UpdateItem", "*", "a counter that differs from the ledger is closed"),
    ("observer", "sqs:SendMessage", "*-capture", "a notification that was lost"),
    ("reconciler", "dynamodb:BatchGetItem", "*", "lines of the last half hour: test_lost_lines.py"),
    ("reconciler", "s3:PutObject", "*", "lines that were lost: test_lost_lines.py"),
    ("replayer", "dynamodb:PutItem", "*", "a message whose row is not there"),
    ("replayer", "s3:GetObject", "*/payloads/*", VERSION),
    ("unpacker", "s3:GetObject", "*/captured/*", VERSION),
    ("unpacker", "s3:GetObject", "*/parked/*", VERSION),
    ("unpacker", "s3:*", "*/batch-events/*", "failed jobs, with the add-on batch"),
    ("unpacker", "s3:*", "*/capture-errors/*", "what Firehose could not deliver"),
    ("unpacker", "s3:*", "*/parked/*", "objects of several targets that hold"),
    ("*", "s3:PutObject", "*/quarantine/*", "what cannot be read or believed: test_trust.py"),
    ("unpacker", "events:PutEvents", "*", "a key that names two payloads: its call is given up"),
    ("unpacker", "sqs:SendMessage", "*-dead-letter", "a key that names two payloads: its letter"),
    ("unpacker", "sqs:SendMessage", "*-capture-dlq", "an object that stays unreadable"),
    (
        "unpacker",
        "sqs:GetQueueAttributes",
        "*-replay",
        "the queue's depth decides, the gate being away",
    ),
)
"""What the tour of test_permissions.py does not need: function, action, resource, and why it stays."""


class Grant(NamedTuple):
    """One action on one resource, which a function's role is allowed."""

    function: str
    action: str
    resource: str


def grants(world: World) -> set[Grant]:
    """Return what the roles of the stack's functions allow, by the functions' names within the stack."""
    prefix = f"{world.stack.name}-"
    pages = world.functions.get_paginator("list_functions").paginate()
    functions = [function for page in pages for function in page["Functions"]]
    return {
        Grant(function["FunctionName"].removeprefix(prefix), action, resource)
        for function in functions
        if function["FunctionName"].startswith(prefix)
        for statement in _statements(world.client("iam"), _role(function))
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    }


def unused(world: World) -> set[Grant]:
    """Return the grants that IAM was not seen to allow since the engine began to note it."""
    decisions = world.admin("GET", "permissions")["decisions"]
    prefix = f"{world.stack.name}-"
    pages = world.functions.get_paginator("list_functions").paginate()
    roles = {
        _role(function): function["FunctionName"].removeprefix(prefix)
        for page in pages
        for function in page["Functions"]
        if function["FunctionName"].startswith(prefix)
    }
    used = [
        Grant(roles[each["role"]], each["action"], each["resource"])
        for each in decisions
        if each["is_allowed"] and each["role"] in roles
    ]
    return {grant for grant in grants(world) if not any(_covers(grant, one) for one in used)}


def has_reason(grant: Grant) -> bool:
    """Tell whether the table has a grant."""
    return any(
        all(fnmatchcase(part, pattern) for part, pattern in zip(grant, row[:3], strict=True))
        for row in REASONS
    )


def _covers(grant: Grant, used: Grant) -> bool:
    """Tell whether a grant is what allowed this; of a resource, the engine tells the first two parts."""
    begins = "/".join(grant.resource.split("/")[:2])
    return (
        grant.function == used.function
        and fnmatchcase(used.action, grant.action)
        and (
            fnmatchcase(used.resource, grant.resource)
            or fnmatchcase(used.resource, begins)
            or used.resource == "*"
        )
    )


def _role(function: dict[str, Any]) -> str:
    return str(function["Role"]).rpartition("/")[2]


def _statements(iam: Any, role: str) -> Iterator[dict[str, Any]]:
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        yield from document["Statement"]
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = policy["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
        yield from found["Document"]["Statement"]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
