"""Least privilege, encryption, and data that outlives mistakes."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest

from reprise.aws.counters_table import READ_BACK
from reprise.aws.keys import secret_name
from reprise.capturing.signature import STACK_SOURCES, MacKeys
from reprise.monitor.reconcile import ERROR_PREFIXES, OLDEST_S, PREFIXES
from reprise_cli.cleanup.plan import kept_of
from template.conftest import ADDONS, DESTINATIONS, JOB, QUEUE, TARGET
from template.deployment import Deployment, Place
from template.templates import ADDONS as ADDON_TEMPLATES
from template.templates import REPOSITORY, SOURCES, read, strings

FUNCTIONS = (
    "invoker",
    "unpacker",
    "replayer",
    "observer",
    "reconciler",
    "runner",
    "warmer",
    "replier",
    "letter-jobs",
    "chaos-target",
)
_SERVICES = ("lambda", "logs", "firehose", "s3", "scheduler", "events", "cloudwatch")

#: What each function may do, but for logs, keys and traces.
ACTIONS = {
    "invoker": {
        "lambda:InvokeFunction": "function:orders",
        "s3:PutObject": "/payloads/*",
        "s3:GetObject": "/results/*",
        "s3:ListBucket": ":reprise-111122223333-eu-west-1",
        "dynamodb:GetItem": "table/reprise-ledger",
        "dynamodb:PutItem": "table/reprise-ledger",
        "dynamodb:UpdateItem": "table/reprise-ledger",
        "dynamodb:DeleteItem": "table/reprise-ledger",
        "secretsmanager:GetSecretValue": "secret:reprise/source/invoker-",
        "ssm:GetParameter": "parameter/reprise/reprise/policy",
    },
    "runner": {
        "sqs:ReceiveMessage": ":reprise-schedules-jobs",
        "sqs:DeleteMessage": ":reprise-schedules-jobs",
        "sqs:GetQueueAttributes": ":reprise-schedules-jobs",
        "sqs:ChangeMessageVisibility": ":reprise-schedules-jobs",
        "sqs:SendMessage": ":reprise-schedules-jobs-dlq",
        "lambda:InvokeFunction": "function:orders",
        "s3:PutObject": "/payloads/*",
        "dynamodb:GetItem": "table/reprise-ledger",
        "dynamodb:PutItem": "table/reprise-ledger",
        "dynamodb:UpdateItem": "table/reprise-ledger",
        "secretsmanager:GetSecretValue": "secret:reprise/source/schedules-",
    },
    "warmer": {"lambda:InvokeFunction": "function:basket:live"},
    "replier": {
        "sqs:ReceiveMessage": ":reprise-replies",
        "sqs:DeleteMessage": ":reprise-replies",
        "sqs:GetQueueAttributes": ":reprise-replies",
        "sqs:ChangeMessageVisibility": ":reprise-replies",
        "sqs:SendMessage": ":444455556666:more",
        "sqs:GetQueueUrl": ":111122223333:answers",
        "events:PutEvents": "event-bus/default",
        "states:SendTaskSuccess": "stateMachine:shop",
        "states:SendTaskFailure": "stateMachine:shop",
        "lambda:SendDurableExecutionCallbackSuccess": "function:flow",
        "lambda:SendDurableExecutionCallbackFailure": "function:flow:*",
        "dynamodb:GetItem": "table/reprise-ledger",
        "dynamodb:UpdateItem": "table/reprise-ledger",
        "s3:GetObject": "/results/*",
        "s3:ListBucket": ":reprise-111122223333-eu-west-1",
        "secretsmanager:GetSecretValue": "secret:reprise/source/pipeline-",
    },
    "unpacker": {
        "sqs:ReceiveMessage": ":reprise-capture",
        "sqs:DeleteMessage": ":reprise-capture",
        "sqs:GetQueueAttributes": ":reprise-capture",
        "sqs:ChangeMessageVisibility": ":reprise-capture",
        "sqs:SendMessage": ":reprise-replay",
        "s3:GetObject": "/captured/*",
        "s3:GetObjectVersion": "/captured/*",
        "s3:PutObject": "/quarantine/*",
        "dynamodb:BatchGetItem": "table/reprise-ledger",
        "dynamodb:GetItem": "table/reprise-ledger",
        "dynamodb:PartiQLInsert": "table/reprise-ledger",
        "dynamodb:PutItem": "table/reprise-ledger",
        "dynamodb:UpdateItem": "table/reprise-ledger",
        "secretsmanager:GetSecretValue": "secret:reprise/source/*",
        "events:PutEvents": "event-bus/default",
    },
    "replayer": {
        "sqs:ReceiveMessage": ":reprise-replay",
        "sqs:DeleteMessage": ":reprise-replay",
        "sqs:GetQueueAttributes": ":reprise-replay",
        "sqs:ChangeMessageVisibility": ":reprise-replay",
        "sqs:SendMessage": ":reprise-dead-letter",
        "lambda:InvokeFunction": "function:orders",
        "lambda:GetFunctionConcurrency": "function:orders",
        "lambda:GetFunctionConfiguration": "function:orders",
        "lambda:GetAccountSettings": "*",
        "s3:GetObject": "/payloads/*",
        "s3:GetObjectVersion": "/payloads/*",
        "s3:ListBucket": ":reprise-111122223333-eu-west-1",
        "s3:PutObject": "/results/*",
        "dynamodb:BatchGetItem": "table/reprise-ledger",
        "dynamodb:GetItem": "table/reprise-ledger",
        "dynamodb:PartiQLUpdate": "table/reprise-ledger",
        "dynamodb:PutItem": "table/reprise-ledger",
        "dynamodb:UpdateItem": "table/reprise-ledger",
        "secretsmanager:GetSecretValue": "secret:reprise/source/*",
        "ssm:GetParameter": "parameter/reprise/reprise/policy",
        "events:PutEvents": "event-bus/default",
    },
    "observer": {
        "dynamodb:BatchGetItem": "table/reprise-ledger",
        "dynamodb:GetItem": "table/reprise-ledger",
        "dynamodb:PutItem": "table/reprise-ledger",
        "dynamodb:UpdateItem": "table/reprise-ledger",
        "sqs:GetQueueAttributes": ":reprise-dead-letter",
        "sqs:SendMessage": ":reprise-capture",
        "s3:ListBucket": ":reprise-111122223333-eu-west-1",
        "cloudwatch:DescribeAlarms": "alarm:*",
        "cloudwatch:GetMetricData": "*",
        "logs:DescribeSubscriptionFilters": "log-group:/reprise/reprise/capture",
        "ssm:GetParameter": "parameter/reprise/reprise/policy",
        "events:PutEvents": "event-bus/default",
    },
    "reconciler": {
        "logs:FilterLogEvents": "log-group:/reprise/reprise/capture",
        "dynamodb:BatchGetItem": "table/reprise-ledger",
        "dynamodb:GetItem": "table/reprise-ledger",
        "dynamodb:PutItem": "table/reprise-ledger",
        "s3:PutObject": "/captured/*",
    },
    "letter-jobs": {
        "sqs:ReceiveMessage": ":reprise-dead-letter",
        "sqs:DeleteMessage": ":reprise-capture-dlq",
        "sqs:GetQueueAttributes": ":reprise-dead-letter",
        "sqs:ChangeMessageVisibility": ":reprise-letter-jobs",
        "sqs:SendMessage": ":reprise-replay",
        "s3:GetObject": "/audit/*",
        "s3:PutObject": "/audit/*",
        "s3:ListBucket": ":reprise-111122223333-eu-west-1",
        "dynamodb:BatchGetItem": "table/reprise-ledger",
        "dynamodb:GetItem": "table/reprise-ledger",
        "dynamodb:PartiQLUpdate": "table/reprise-ledger",
        "dynamodb:PutItem": "table/reprise-ledger",
        "dynamodb:UpdateItem": "table/reprise-ledger",
        "secretsmanager:GetSecretValue": "secret:reprise/source/*",
    },
    "chaos-target": {"dynamodb:PutItem": "table/reprise-receipts"},
}
VERIFIERS = {"unpacker", "replayer", "letter-jobs"}
"""Functions that verify what any source signed."""
COMMON = ("logs:CreateLogStream", "logs:PutLogEvents", "kms:", "xray:")


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def permissions(deployment: Deployment, name: str) -> list[tuple[str, str]]:
    role = deployment.function(name).properties["Role"]
    return [
        (action, resource)
        for statement in deployment.statements(role)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def policies(deployment: Deployment, kind: str, target: str) -> dict[str, list[dict[str, Any]]]:
    """Return the statements of resource policies, by the resource that they are for."""
    found: dict[str, list[dict[str, Any]]] = {}
    for policy in deployment.resources(kind).values():
        for resource in listed(policy.properties[target]):
            found.setdefault(resource, []).extend(policy.properties["PolicyDocument"]["Statement"])
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_may_do_what_it_needs_and_no_more(full: Deployment, name: str) -> None:
    granted = permissions(full, name)
    assert {action for action, _ in granted if not action.startswith(COMMON)} == set(ACTIONS[name])
    for action, part in ACTIONS[name].items():
        assert any(
            part in resource for granted_action, resource in granted if granted_action == action
        )


IN_VPC = {
    "VpcSubnetIds": "subnet-0a,subnet-0b",
    "VpcSecurityGroupIds": "sg-0c",
    "Architecture": "arm64",
}


@cache
def in_vpc() -> Deployment:
    """Deploy every function into a VPC."""
    return Deployment(
        {"Targets": TARGET, "ChaosTarget": "true", **IN_VPC},
        addons={
            **ADDONS,
            "schedules": {"Targets": TARGET, "WarmFunctions": TARGET, **IN_VPC},
            "replies": {**DESTINATIONS, **IN_VPC},
        },
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_where_and_on_what_the_deployer_says(full: Deployment, name: str) -> None:
    deployment = in_vpc()
    function = deployment.function(name).properties
    assert function["VpcConfig"] == {
        "SubnetIds": ["subnet-0a", "subnet-0b"],
        "SecurityGroupIds": ["sg-0c"],
    }
    assert function["Architectures"] == ["arm64"]
    [role] = [
        role
        for role in deployment.resources("AWS::IAM::Role").values()
        if role.arn == function["Role"]
    ]
    [policy] = role.properties["ManagedPolicyArns"]
    assert policy.endswith(":iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole")
    assert "VpcConfig" not in full.function(name).properties
    assert full.function(name).properties["Architectures"] == ["x86_64"]


def test_the_page_on_vpcs_names_an_endpoint_for_every_service_that_a_function_asks() -> None:
    deployment = in_vpc()
    endpoints = {"cloudwatch": "monitoring"}
    # Keys and traces go through the services' own ways; log lines, too.
    asked = {
        action.partition(":")[0]
        for name in FUNCTIONS
        for action, _ in permissions(deployment, name)
        if not action.startswith(COMMON)
    }
    # The second table is of callers.
    page, _, _ = (REPOSITORY / "docs/howto/vpc.md").read_text().partition("\n## Callers")
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert named - {"batch"} == {endpoints.get(service, service) for service in asked} - {"batch"}


def test_the_observer_names_objects_to_the_unpacker_and_touches_no_call(full: Deployment) -> None:
    statements = {
        statement["Sid"]: statement
        for statement in full.statements(full.function("observer").properties["Role"])
        if "Sid" in statement
    }
    sends = statements["SendLostNotifications"]
    assert sends["Resource"].endswith(":reprise-capture")
    lists = statements["CountQuarantineAndFindObjects"]["Condition"]["StringLike"]["s3:prefix"]
    assert lists == ["quarantine/*", *(f"{prefix}*" for prefix in (*PREFIXES, *ERROR_PREFIXES))]
    keys = statements["ReadBooksAndGatesAndRemember"]["Condition"]["ForAllValues:StringLike"]
    assert keys == {"dynamodb:LeadingKeys": ["book#*", "gate#*", "observer#*", "object#*"]}
    actions = [action for action, _ in permissions(full, "observer")]
    assert not [action for action in actions if action.startswith("s3:Get")]


def test_the_reconciler_reads_lines_and_rows_and_can_neither_sign_nor_change_a_call(
    full: Deployment,
) -> None:
    statements = {
        statement["Sid"]: statement
        for statement in full.statements(full.function("reconciler").properties["Role"])
        if "Sid" in statement
    }
    assert statements["ReadRows"]["Action"] == "dynamodb:BatchGetItem"
    keys = statements["Remember"]["Condition"]["ForAllValues:StringEquals"]
    assert keys == {"dynamodb:LeadingKeys": [f"observer#{READ_BACK}"]}
    groups = {arn.partition("log-group:")[2] for arn in statements["ReadLines"]["Resource"]}
    assert {group.removesuffix(":*") for group in groups} == set(
        full.environment("reconciler")["REPRISE_LOG_GROUPS"].split(",")
    )


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("replayer", "payloads/"), ("invoker", "results/"), ("replier", "results/")],
)
def test_an_object_that_is_gone_is_told_from_one_that_may_not_be_read(
    full: Deployment, name: str, prefix: str
) -> None:
    [lists] = [
        statement
        for statement in full.statements(full.function(name).properties["Role"])
        if "s3:ListBucket" in listed(statement["Action"])
    ]
    # What a GetObject does not carry must not stand in its way.
    assert lists["Condition"] == {"StringLikeIfExists": {"s3:prefix": f"{prefix}*"}}


def test_jobs_are_submitted_to_the_declared_queues_of_the_declared_definitions_alone() -> None:
    """So a policy's `fallback_queue` reaches no other queue, and the failures in it are heard."""
    queues = f"{QUEUE},{QUEUE}-on-demand"
    stack = Deployment(
        {"Targets": f"{TARGET},{JOB}"},
        addons={"batch": {"BatchJobDefinitions": JOB, "BatchJobQueues": queues}},
    )
    [policy] = [
        each.properties["PolicyDocument"]["Statement"]
        for each in stack.resources("AWS::IAM::ManagedPolicy").values()
        if "SubmitToListedQueues" in json.dumps(each.properties["PolicyDocument"])
    ]
    submits = [each["Resource"] for each in policy if each["Action"] == "batch:SubmitJob"]
    assert submits == [queues.split(","), [JOB, f"{JOB}:*"]]
    [rule] = [
        each.properties["EventPattern"]["detail"]
        for each in stack.resources("AWS::Events::Rule").values()
        if "aws.batch" in each.properties["EventPattern"]["source"]
    ]
    assert rule["jobQueue"] == queues.split(",")


def test_firehose_assumes_its_roles_by_the_key_that_it_documents(full: Deployment) -> None:
    trusts = [
        statement
        for role in full.resources("AWS::IAM::Role").values()
        for statement in role.properties["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"].get("Service") == "firehose.amazonaws.com"
    ]
    assert len(trusts) >= 2
    for trust in trusts:
        assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "111122223333"}}


def test_the_longest_lists_of_targets_and_jobs_fit_into_roles_and_environments() -> None:
    """IAM: 10,240 characters for a role's own policies, 6,144 for a managed one. Lambda: 4 KB of environment.

    Source: IAM user guide, "IAM and AWS STS quotas"; Lambda developer guide, "Lambda quotas".
    """
    lists = {
        "root": {"Targets": TARGET, "ExtraLogGroups": f"/aws/lambda/{'x' * 114}"},
        "schedules": {"Targets": TARGET, "WarmFunctions": TARGET},
        "batch": {"BatchJobDefinitions": JOB, "BatchJobQueues": QUEUE},
        "replies": {name: value for name, value in DESTINATIONS.items() if name != "ReplyEvents"},
    }
    paths = {"root": SOURCES[0], **ADDON_TEMPLATES}
    given = {
        part: {
            name: longest(value, int(read(paths[part])["Parameters"][name]["MaxLength"]))
            for name, value in values.items()
        }
        for part, values in lists.items()
    }
    key = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000"
    # The longest name of a stack, and of a region.
    place = Place(stack="s" * 35, region="ap-southeast-2")
    given["root"] |= {"KmsKeyArn": key, "Tracing": "true", "ChaosTarget": "true"}
    given["schedules"] |= {"KmsKeyArn": key, "Tracing": "true"}
    given["batch"] |= {"KmsKeyArn": key, "RunnerRole": "r" * 64}
    given["replies"] |= {"KmsKeyArn": key, "Tracing": "true", "ReplyEvents": "true"}
    stack = Deployment(given.pop("root"), place, given)
    for role in stack.resources("AWS::IAM::Role").values():
        own = [policy["PolicyDocument"] for policy in role.properties.get("Policies", [])]
        assert sum(map(size, own)) <= 10_240, role.ref
    for policy in stack.resources("AWS::IAM::ManagedPolicy").values():
        assert size(policy.properties["PolicyDocument"]) <= 6_144, policy.ref
    for function in stack.resources("AWS::Lambda::Function").values():
        variables = function.properties.get("Environment", {}).get("Variables", {})
        assert sum(len(name) + len(str(value)) for name, value in variables.items()) <= 4_096


def longest(value: str, limit: int) -> str:
    """Return a list, as long as may be, of values that differ."""
    values: list[str] = []
    while len(",".join([*values, f"{value}-{len(values):03}"])) <= limit:
        values.append(f"{value}-{len(values):03}")
    return ",".join(values)


def size(document: object) -> int:
    """Return the characters that IAM counts: none of the blanks."""
    return len(json.dumps(document, separators=(",", ":")))


def test_the_reconciler_looks_where_the_bucket_notifies(full: Deployment) -> None:
    rules = full["Capture/Bucket"].properties["NotificationConfiguration"]["QueueConfigurations"]
    notified = [rule["Filter"]["S3Key"]["Rules"][0]["Value"] for rule in rules]
    assert notified == list(PREFIXES)
    retained_s = 86_400 * int(full["Capture/CaptureLogGroup"].properties["RetentionInDays"])
    assert retained_s > OLDEST_S


def test_the_unpacker_may_count_the_replay_queue_for_when_a_gate_is_away(full: Deployment) -> None:
    counted = {
        resource.rpartition(":")[2]
        for action, resource in permissions(full, "unpacker")
        if action == "sqs:GetQueueAttributes"
    }
    assert counted == {"reprise-capture", "reprise-replay"}


def test_the_unpacker_reads_and_writes_parked_objects_and_writes_no_captured_ones(
    full: Deployment,
) -> None:
    granted = permissions(full, "unpacker")
    places = {
        action: sorted(
            resource.rpartition(":::")[2].partition("/")[2]
            for granted_action, resource in granted
            if granted_action == action
        )
        for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject")
    }
    assert places == {
        "s3:GetObject": ["batch-events/*", "capture-errors/*", "captured/*", "parked/*"],
        "s3:GetObjectVersion": ["batch-events/*", "capture-errors/*", "captured/*", "parked/*"],
        "s3:PutObject": ["calls/*", "parked/*", "quarantine/*"],
    }


def test_no_permission_is_for_every_resource_but_tracing(full: Deployment) -> None:
    wild = {
        action
        for role in full.resources("AWS::IAM::Role").values()
        for statement in full.statements(role.arn)
        for action in listed(statement["Action"])
        if "*" in listed(statement["Resource"])
    }
    assert wild == {
        "cloudwatch:GetMetricData",
        "lambda:GetAccountSettings",
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    }


def test_no_permission_is_for_every_action(full: Deployment) -> None:
    for role in full.resources("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role.properties
        for statement in full.statements(role.arn):
            assert not [action for action in listed(statement["Action"]) if "*" in action]


def test_each_function_has_a_role_of_its_own(full: Deployment) -> None:
    roles = [full.function(name).properties["Role"] for name in FUNCTIONS]
    assert len(set(roles)) == len(FUNCTIONS)


def test_targets_bound_what_may_be_invoked() -> None:
    arn = "arn:aws:lambda:eu-west-1:111122223333:function"
    listed_targets = {"Targets": f"{arn}:orders,{arn}:team-*"}
    deployment = Deployment(listed_targets, addons={"schedules": listed_targets})
    for name in ("invoker", "replayer", "runner"):
        granted = permissions(deployment, name)
        assert {resource for action, resource in granted if action == "lambda:InvokeFunction"} == {
            f"{arn}:orders",
            f"{arn}:orders:*",
            f"{arn}:team-*",
            f"{arn}:team-*:*",
        }
        assert deployment.environment(name)["REPRISE_TARGETS"] == f"{arn}:orders,{arn}:team-*"


def test_chaos_target_is_allowed_beside_the_users_own_or_alone() -> None:
    chaos = "arn:aws:lambda:eu-west-1:111122223333:function:reprise-chaos-target"
    both = Deployment({"Targets": TARGET, "ChaosTarget": "true"})
    alone = Deployment({"ChaosTarget": "true"})
    assert both.outputs["TargetArns"] == f"{chaos},{TARGET}"
    assert alone.outputs["TargetArns"] == chaos
    assert both.function("chaos-target").arn == chaos


def test_roles_of_services_are_guarded_against_the_confused_deputy(beside: Deployment) -> None:
    arns = {
        "Capture/SubscriptionRole": "arn:aws:logs:eu-west-1:111122223333:*",
        "Schedules/JobsSchedulerRole": (
            "arn:aws:scheduler:eu-west-1:111122223333:schedule-group/reprise-schedules-jobs"
        ),
    }
    for path, source_arn in arns.items():
        [statement] = beside[path].properties["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "111122223333"},
            "ArnLike": {"aws:SourceArn": source_arn},
        }


def test_only_our_bucket_may_send_to_the_capture_queue(plain: Deployment) -> None:
    statements = policies(plain, "AWS::SQS::QueuePolicy", "Queues")
    [allow] = [s for s in statements[plain.outputs["CaptureQueueUrl"]] if s["Effect"] == "Allow"]
    assert allow["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allow["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": plain["Capture/Bucket"].arn},
    }


def test_queues_and_bucket_take_tls_only(full: Deployment) -> None:
    queues = {queue.ref for queue in full.resources("AWS::SQS::Queue").values()}
    queue_policies = policies(full, "AWS::SQS::QueuePolicy", "Queues")
    bucket_policies = policies(full, "AWS::S3::BucketPolicy", "Bucket")
    assert set(queue_policies) == queues
    assert set(bucket_policies) == {full.outputs["BucketName"]}
    for statements in [*queue_policies.values(), *bucket_policies.values()]:
        [deny] = [statement for statement in statements if statement["Effect"] == "Deny"]
        assert deny["Principal"] == "*"
        assert deny["Action"] in {"s3:*", "sqs:*"}
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_bucket_is_private_versioned_and_owned(plain: Deployment) -> None:
    bucket = plain["Capture/Bucket"].properties
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


def test_everything_is_encrypted_without_a_key_of_the_users(beside: Deployment) -> None:
    [rule] = beside["Capture/Bucket"].properties["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    for queue in beside.resources("AWS::SQS::Queue").values():
        assert queue.properties["SqsManagedSseEnabled"] is True
    assert not [text for text in strings(dump(beside)) if "kms:" in text]


def test_everything_that_holds_calls_is_encrypted_with_the_users_key(full: Deployment) -> None:
    encryptable = {
        "AWS::DynamoDB::Table",
        "AWS::KinesisFirehose::DeliveryStream",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
    resources = [r for r in full.resources().values() if r.type in encryptable]
    assert len(resources) == 2 + 2 + 9 + 1 + 10 + 1 + 1 + 5
    for resource in resources:
        assert full.parameters["KmsKeyArn"] in list(strings(dict(resource.properties)))


def test_every_log_group_and_object_of_ours_expires(full: Deployment) -> None:
    groups = full.resources("AWS::Logs::LogGroup").values()
    assert {str(group.properties["RetentionInDays"]) for group in groups} == {"30"}
    rules = full["Capture/Bucket"].properties["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Prefix"] for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {
        *("captured/", "batch-events/", "parked/", "payloads/", "results/", "quarantine/"),
        *("audit/", "calls/"),
    }
    ledger = full["Replay/Ledger"].properties
    assert ledger["TimeToLiveSpecification"] == {"AttributeName": "expires_at_s", "Enabled": True}


def test_every_function_logs_to_a_group_with_a_retention(full: Deployment) -> None:
    groups = {group.ref for group in full.resources("AWS::Logs::LogGroup").values()}
    for function in full.resources("AWS::Lambda::Function").values():
        assert function.properties["LoggingConfig"]["LogGroup"] in groups


def test_data_stays_when_the_stack_goes(full: Deployment) -> None:
    kept = {
        path
        for path, resource in full.resources().items()
        if resource.declaration.get("DeletionPolicy") == "RetainExceptOnCreate"
    }
    assert kept == {
        "Capture/Bucket",
        "Capture/CaptureDeadLetterQueue",
        "Replay/DeadLetterQueue",
        "Replay/Ledger",
        "Schedules/JobsDeadLetterQueue",
        "Replies/RepliesDeadLetterQueue",
    }


def test_cleanup_knows_what_stays_by_its_name(full: Deployment) -> None:
    kept = {
        resource.ref.rpartition("/")[2]
        for resource in full.resources().values()
        if resource.declaration.get("DeletionPolicy", "Delete") != "Delete"
    }
    addon, replies = {"reprise-schedules-jobs-dlq"}, {"reprise-replies-dlq"}
    assert addon | replies < kept
    # What the root kept before schedules became an add-on.
    older = {"reprise-jobs-dlq"}
    # The add-ons' own names, which are looked for whatever the stack is.
    assert known("reprise") == kept - addon - replies | older | {"reprise-dlq"}
    assert addon < known("reprise-schedules")
    assert replies < known("reprise-replies")


def known(stack: str) -> set[str]:
    return {thing.name for thing in kept_of(stack, "111122223333", "eu-west-1")}


def test_every_store_says_what_becomes_of_it(full: Deployment) -> None:
    stores = (
        "AWS::DynamoDB::Table",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    )
    for resource in full.resources().values():
        if resource.type in stores:
            assert {"DeletionPolicy", "UpdateReplacePolicy"} <= set(resource.declaration)


def test_ledger_can_be_restored_to_any_second(plain: Deployment) -> None:
    assert plain["Replay/Ledger"].properties["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True
    }


def readers_of(deployment: Deployment, secret: str) -> set[str]:
    """Return the functions whose roles may read the secret of this ARN, denials counted."""
    readers = set()
    for name in FUNCTIONS:
        role = deployment.function(name).properties["Role"]
        said = {
            statement["Effect"]
            for statement in deployment.statements(role)
            for resource in listed(statement["Resource"])
            if "secretsmanager:GetSecretValue" in listed(statement["Action"])
            and fnmatchcase(secret, resource)
        }
        if said == {"Allow"}:
            readers.add(name)
    return readers


@pytest.mark.parametrize(
    ("source", "readers"),
    [
        ("invoker", {"invoker", *VERIFIERS}),
        ("schedules", {"runner", *VERIFIERS}),
        # The replier speaks to strangers: it believes what the pipeline vouches for.
        ("pipeline", {"replier", *VERIFIERS}),
        # Nothing of the stack signs as an operator; who meets what operators signed verifies it.
        ("operator", VERIFIERS - {"unpacker"}),
        ("a-users-own", VERIFIERS),
    ],
)
def test_each_source_reads_its_own_keys_and_only_the_pipeline_those_of_all(
    full: Deployment, source: str, readers: set[str]
) -> None:
    secret = f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:reprise/source/{source}-a1b2c3"
    assert readers_of(full, secret) == readers


def test_keys_of_other_stacks_and_other_secrets_of_this_one_are_read_by_nobody(
    full: Deployment,
) -> None:
    prefix = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"
    for name in ("reprise-two/source/invoker", "reprise/machine", "reprise/other", "mac"):
        assert readers_of(full, f"{prefix}{name}-a1b2c3") == set()


def test_the_one_secret_of_0_1_0_stays_where_a_stack_is_upgraded(full: Deployment) -> None:
    """A new name makes CloudFormation replace it; the logical id must stay for that."""
    assert full["Secrets/MacSecret"].declaration["UpdateReplacePolicy"] == "Retain"
    old = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:reprise/mac-a1b2c3"
    assert readers_of(full, old) == VERIFIERS


@pytest.mark.parametrize(
    ("resource", "source", "targets"),
    [
        ("Secrets/MacSecret", "invoker", ["*"]),
        ("Schedules/SourceSecret", "schedules", ["*", "arn:aws:batch:*"]),
        ("Secrets/PipelineSecret", "pipeline", ["arn:aws:batch:*"]),
        ("Secrets/OperatorSecret", "operator", ["*", "arn:aws:batch:*"]),
    ],
)
def test_keys_are_made_by_aws_and_never_in_the_template(
    beside: Deployment, resource: str, source: str, targets: list[str]
) -> None:
    secret = beside[resource]
    generated = secret.properties["GenerateSecretString"]
    document = json.loads(generated["SecretStringTemplate"])
    assert document == {"current": "k1", "targets": targets}
    assert secret.properties["Name"] == secret_name("reprise", source)
    assert generated["GenerateStringKey"] == "k1"
    assert generated["PasswordLength"] >= 43, "256 bits of letters and digits"
    assert "SecretString" not in secret.properties
    # What the package makes of it.
    document["k1"] = "x" * generated["PasswordLength"]
    assert MacKeys.from_secret(json.dumps(document), source).targets == tuple(targets)


def test_every_source_of_the_stack_has_its_secret(beside: Deployment) -> None:
    names = {s.properties["Name"] for s in beside.resources("AWS::SecretsManager::Secret").values()}
    sources = {secret_name("reprise", source) for source in STACK_SOURCES}
    # By the last one webhooks are verified; it signs no record.
    assert names == sources | {"reprise/replies/webhook"}


def test_nothing_names_a_partition_or_a_region() -> None:
    china = Place(partition="aws-cn", url_suffix="amazonaws.com.cn", region="cn-north-1")
    deployment = Deployment(
        {
            "Targets": "arn:aws-cn:lambda:cn-north-1:111122223333:function:orders",
            "ChaosTarget": "true",
            "KmsKeyArn": "arn:aws-cn:kms:cn-north-1:111122223333:key/abc",
            "AlarmTopicArn": "arn:aws-cn:sns:cn-north-1:111122223333:alarms",
            "Tracing": "true",
        },
        china,
        {
            "schedules": {"Targets": "arn:aws-cn:lambda:cn-north-1:111122223333:function:orders"},
            "batch": {
                "BatchJobDefinitions": "arn:aws-cn:batch:cn-north-1:111122223333:job-definition/a",
                "BatchJobQueues": "arn:aws-cn:batch:cn-north-1:111122223333:job-queue/a",
            },
            "replies": {"ReplyQueues": "arn:aws-cn:sqs:cn-north-1:111122223333:answers"},
        },
    )
    texts = list(strings([dump(deployment), deployment.outputs]))
    assert not [text for text in texts if "arn:aws:" in text]
    assert not [
        text
        for text in texts
        if re.search(r"\b[a-z]{2}-[a-z]+-\d\b", text) and "cn-north-1" not in text
    ]
    # Service principals are named alike in every partition.
    hosts = {text for text in texts if "amazonaws.com" in text and "amazonaws.com.cn" not in text}
    assert hosts <= {f"{service}.amazonaws.com" for service in _SERVICES}


def dump(deployment: Deployment) -> list[dict[str, Any]]:
    return [dict(resource.properties) for resource in deployment.resources().values()]


def test_dead_man_switch_may_restore_the_chaos_target_and_nothing_else(full: Deployment) -> None:
    role = full["Chaos/SchedulerRole"].properties
    (statement,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Resource"] == full.function("chaos-target").arn
    assert sorted(statement["Action"]) == [
        "lambda:DeleteFunctionConcurrency",
        "lambda:PutFunctionConcurrency",
    ]
    assert trust["Condition"]["ArnLike"]["aws:SourceArn"].endswith(":schedule-group/default")
