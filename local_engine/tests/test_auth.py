"""The engine with IAM enforced: each call our functions make, allowed and denied."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_engine.control import Engine
from local_engine.testing import ACCOUNT, Aws

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Makes the call it is told to, and answers "ok" or the error's code.
CALLER = """
import boto3, os
from botocore.config import Config
from botocore.exceptions import ClientError
def handle(event, context):
    client = boto3.client(event["service"], config=Config(retries={"total_max_attempts": 1}))
    try:
        getattr(client, event["action"])(**event["arguments"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"
"""

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, *, is_stock: bool) -> Iterator[Aws]:
    engine = Engine(state_dir=tmp_path_factory.mktemp("guarded"))
    engine.start(auth=True, stock=is_stock)
    yield Aws.at(engine)
    engine.stop()


@pytest.fixture(scope="module")
def names(guarded: Aws) -> dict[str, str]:
    """Make two of everything and a function whose role is allowed the first of each."""
    aws = guarded
    found: dict[str, str] = {}
    iam = aws.client("iam")
    role = f"r-{uuid.uuid4().hex[:8]}"
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    for which in ("mine", "other"):
        url, queue = aws.make_queue()
        suffix = uuid.uuid4().hex[:8]
        found |= {f"{which}_queue_url": url, f"{which}_queue": queue}
        bucket = found[f"{which}_bucket"] = f"b-{suffix}"
        aws.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        table = found[f"{which}_table"] = f"t-{suffix}"
        aws.client("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        secret = aws.client("secretsmanager").create_secret(Name=f"s-{suffix}", SecretString="x")
        found[f"{which}_secret"] = secret["ARN"]
        found[f"{which}_parameter"] = f"/p/{suffix}"
        aws.client("ssm").put_parameter(Name=f"/p/{suffix}", Value="x", Type="String")
        found[f"{which}_target"] = aws.make_function(
            "def handle(event, context): return 1", Role=arn
        )
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(policy(found)))
    found["caller"] = aws.make_function(CALLER, Role=arn, Timeout=30)
    return found


def policy(names: dict[str, str]) -> dict[str, Any]:
    scope = f"eu-west-1:{ACCOUNT}"
    allowed = {
        names["mine_queue"]: ["sqs:SendMessage", "sqs:ChangeMessageVisibility"],
        f"arn:aws:s3:::{names['mine_bucket']}/payloads/*": ["s3:PutObject"],
        f"arn:aws:dynamodb:{scope}:table/{names['mine_table']}": [
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:PartiQLInsert",
        ],
        names["mine_secret"]: ["secretsmanager:GetSecretValue"],
        f"arn:aws:ssm:{scope}:parameter{names['mine_parameter']}": ["ssm:GetParameter"],
        f"arn:aws:lambda:{scope}:function:{names['mine_target']}": [
            "lambda:InvokeFunction",
            "lambda:GetFunctionConcurrency",
        ],
        f"arn:aws:cloudwatch:{scope}:alarm:*": ["cloudwatch:DescribeAlarms"],
        f"arn:aws:batch:{scope}:job-definition/mine:*": ["batch:SubmitJob"],
        f"arn:aws:batch:{scope}:job-queue/mine": ["batch:SubmitJob"],
        "*": ["batch:ListJobs"],
    }
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": actions, "Resource": resource}
        for resource, actions in allowed.items()
    ]
    end = {
        "Effect": "Allow",
        "Action": "batch:TerminateJob",
        "Resource": f"arn:aws:batch:{scope}:job/*",
        "Condition": {"Null": {"aws:ResourceTag/reprise:job": "false"}},
    }
    statements.append(end)
    return {"Version": "2012-10-17", "Statement": statements}


def call(names: dict[str, str], aws: Aws, service: str, action: str, **arguments: Any) -> str:
    event = {"service": service, "action": action, "arguments": arguments}
    return str(aws.invoke(names["caller"], event))


ITEM = {"id": {"S": "1"}}
CALLS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("sqs", "send_message", "QueueUrl:queue_url", {"MessageBody": "x"}),
    ("s3", "put_object", "Bucket:bucket", {"Key": "payloads/x", "Body": "x"}),
    ("dynamodb", "put_item", "TableName:table", {"Item": ITEM}),
    (
        "dynamodb",
        "update_item",
        "TableName:table",
        {
            "Key": ITEM,
            "UpdateExpression": "SET a = :a",
            "ExpressionAttributeValues": {":a": {"S": "x"}},
            "ConditionExpression": "attribute_exists(id)",
        },
    ),
    ("secretsmanager", "get_secret_value", "SecretId:secret", {}),
    ("ssm", "get_parameter", "Name:parameter", {}),
    ("lambda", "invoke", "FunctionName:target", {}),
]


@pytest.mark.parametrize(
    ("service", "action", "resource", "arguments"),
    CALLS,
    ids=[f"{service}-{action}" for service, action, _, _ in CALLS],
)
def test_role_opens_its_own_resource_only(
    guarded: Aws,
    names: dict[str, str],
    service: str,
    action: str,
    resource: str,
    arguments: dict[str, Any],
) -> None:
    parameter, kind = resource.split(":")

    def result(which: str) -> str:
        chosen = {parameter: names[f"{which}_{kind}"]}
        return call(names, guarded, service, action, **chosen, **arguments)

    assert result("mine") == "ok"
    assert "AccessDenied" in result("other")


def test_object_outside_the_allowed_prefix_is_denied(guarded: Aws, names: dict[str, str]) -> None:
    answer = call(
        names, guarded, "s3", "put_object", Bucket=names["mine_bucket"], Key="other/x", Body="x"
    )
    assert answer == "AccessDenied"


def test_batch_needs_the_permission_of_the_single_action(
    guarded: Aws, names: dict[str, str]
) -> None:
    entries = [{"Id": "a", "MessageBody": "x"}]

    def send(url: str) -> str:
        return call(names, guarded, "sqs", "send_message_batch", QueueUrl=url, Entries=entries)

    assert send(names["mine_queue_url"]) == "ok"
    assert "AccessDenied" in send(names["other_queue_url"])


def test_statement_needs_the_permission_of_its_verb_on_its_table(
    guarded: Aws, names: dict[str, str]
) -> None:
    def execute(text: str, which: str) -> str:
        statement = text.format(names[f"{which}_table"])
        item = {"Statement": statement, "Parameters": [{"S": uuid.uuid4().hex}]}
        action = "batch_execute_statement"
        return call(names, guarded, "dynamodb", action, Statements=[item, item])

    insert = "INSERT INTO \"{}\" VALUE {{'id': ?}}"
    assert execute(insert, "mine") == "ok"
    assert "AccessDenied" in execute(insert, "other")
    assert "AccessDenied" in execute('DELETE FROM "{}" WHERE id = ?', "mine")


def test_role_that_may_see_alarms_sees_them_and_nothing_else_of_cloudwatch(
    guarded: Aws, names: dict[str, str]
) -> None:
    assert call(names, guarded, "cloudwatch", "describe_alarms", AlarmNames=["a"]) == "ok"
    assert "AccessDenied" in call(names, guarded, "cloudwatch", "list_dashboards")


def test_role_submits_to_its_own_queue_and_ends_only_jobs_of_its_tag(
    guarded: Aws, names: dict[str, str]
) -> None:
    batch = guarded.client("batch")
    batch.create_compute_environment(computeEnvironmentName="e", type="UNMANAGED")
    order = [{"order": 1, "computeEnvironment": "e"}]
    for name in ("mine", "other"):
        batch.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order)
        batch.register_job_definition(jobDefinitionName=name, type="container")

    def submit(definition: str, queue: str, **fields: Any) -> str:
        arguments = {"jobName": "n", "jobDefinition": definition, "jobQueue": queue, **fields}
        return call(names, guarded, "batch", "submit_job", **arguments)

    assert submit("mine", "mine") == "ok"
    for definition, queue in (("other", "mine"), ("mine", "other")):
        assert "AccessDenied" in submit(definition, queue)
    assert "AccessDenied" in submit("mine", "mine", tags={"a": "b"})
    request = {"jobName": "n", "jobQueue": "mine", "jobDefinition": "mine"}
    untagged, tagged = (
        batch.submit_job(**request, tags=tags)["jobId"] for tags in ({}, {"reprise:job": "nightly"})
    )
    end = {"reason": "replaced"}
    assert "AccessDenied" in call(names, guarded, "batch", "terminate_job", jobId=untagged, **end)
    assert call(names, guarded, "batch", "terminate_job", jobId=tagged, **end) == "ok"
    assert call(names, guarded, "batch", "list_jobs", jobQueue="mine") == "ok"


def test_role_that_may_read_concurrency_reads_it_and_changes_none(
    guarded: Aws, names: dict[str, str]
) -> None:
    name = names["mine_target"]
    assert call(names, guarded, "lambda", "get_function_concurrency", FunctionName=name) == "ok"
    for action in ("delete_function_concurrency", "get_account_settings"):
        arguments = {"FunctionName": name} if "function" in action else {}
        assert "AccessDenied" in call(names, guarded, "lambda", action, **arguments)


def test_policy_for_tls_only_lets_a_local_call_in(guarded: Aws, names: dict[str, str]) -> None:
    bucket = names["mine_bucket"]
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    document = {"Version": "2012-10-17", "Statement": [deny]}
    guarded.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    arguments = {"Bucket": bucket, "Key": "payloads/tls", "Body": "x"}
    assert call(names, guarded, "s3", "put_object", **arguments) == "ok"


def test_what_roles_use_and_are_refused_is_told_to_whoever_asks_for_it(
    guarded: Aws, names: dict[str, str]
) -> None:
    def send(which: str) -> None:
        url = names[f"{which}_queue_url"]
        call(names, guarded, "sqs", "send_message", QueueUrl=url, MessageBody="x")

    guarded.admin("POST", "permissions")
    send("mine")
    send("other")
    guarded.admin("DELETE", "permissions")
    send("mine")
    told = guarded.admin("GET", "permissions")["decisions"]
    assert [
        (each["action"], each["resource"], each["is_allowed"], each["count"])
        for each in told
        if each["action"].startswith("sqs:")
    ] == sorted(
        [
            ("sqs:SendMessage", names["mine_queue"], True, 1),
            ("sqs:SendMessage", names["other_queue"], False, 1),
        ]
    )
    guarded.admin("POST", "permissions")
    assert guarded.admin("GET", "permissions")["decisions"] == []
    guarded.admin("DELETE", "permissions")


def test_unknown_credential_is_refused(guarded: Aws) -> None:
    stranger = boto3.client(
        "sqs",
        endpoint_url=guarded.url,
        region_name="eu-west-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="test",
    )
    with pytest.raises(ClientError, match="security token"):
        stranger.list_queues()
