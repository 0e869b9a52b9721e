"""Canaries of ``functions``, ``conditions``, ``secrets``, ``retention`` and ``template_urls``."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local_engine.testing import Aws

    type Deploy = Callable[..., str]

ROLE = "arn:aws:iam::000000000000:role/r"


@pytest.fixture
def deploy(aws: Aws) -> Iterator[Deploy]:
    """Create a stack, or update the one of that name, and wait; delete them at the end."""
    cloudformation = aws.client("cloudformation")
    names: list[str] = []

    def run(resources: dict[str, Any], *, name: str = "", **sections: Any) -> str:
        body = json.dumps({"Resources": resources, **sections})
        if name:
            cloudformation.update_stack(StackName=name, TemplateBody=body)
            waiter = cloudformation.get_waiter("stack_update_complete")
        else:
            name = f"s-{uuid.uuid4().hex[:8]}"
            names.append(name)
            cloudformation.create_stack(
                StackName=name,
                TemplateBody=body,
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            )
            waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 0.1})
        return name

    yield run
    for name in names:
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 0.1}
        )


def function(runtime: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": runtime,
            "Handler": "index.handle",
            "Role": ROLE,
            "Code": {"ZipFile": "def handle(event, context): return 1"},
            **properties,
        },
    }


def outputs(aws: Aws, name: str) -> dict[str, str]:
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_reserved_concurrency_of_a_template_throttles(aws: Aws, deploy: Deploy) -> None:
    name = f"f-{uuid.uuid4().hex[:8]}"
    stack = deploy({"F": function(aws.runtime, FunctionName=name, ReservedConcurrentExecutions=0)})
    with pytest.raises(ClientError) as caught:
        aws.client("lambda").invoke(FunctionName=name)
    assert (
        dict(caught.value.response)["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    )
    deploy({"F": function(aws.runtime, FunctionName=name)}, name=stack)
    assert aws.invoke(name, {}) == 1


def test_recursive_loop_of_a_template_is_set(aws: Aws, deploy: Deploy) -> None:
    name = f"f-{uuid.uuid4().hex[:8]}"
    deploy({"F": function(aws.runtime, FunctionName=name, RecursiveLoop="Allow")})
    config = aws.client("lambda").get_function_recursion_config(FunctionName=name)
    assert config["RecursiveLoop"] == "Allow"


def test_table_and_bucket_keep_things_as_their_template_says(aws: Aws, deploy: Deploy) -> None:
    name = f"kept-{uuid.uuid4().hex[:8]}"
    table = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    rule = {"Id": "r", "Status": "Enabled", "Prefix": "old/", "ExpirationInDays": 30}
    kept = {
        "TimeToLiveSpecification": {"AttributeName": "ends", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }

    def resources(*, is_kept: bool) -> dict[str, Any]:
        rules = {"LifecycleConfiguration": {"Rules": [rule]}} if is_kept else {}
        return {
            "T": {"Type": "AWS::DynamoDB::Table", "Properties": table | (kept if is_kept else {})},
            "B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name, **rules}},
        }

    dynamodb, s3 = aws.client("dynamodb"), aws.client("s3")
    stack = deploy(resources(is_kept=True))
    life = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert life == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ends"}
    assert recovery(aws, name) == "ENABLED"
    (found,) = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert (found["Filter"], found["Expiration"]) == ({"Prefix": "old/"}, {"Days": 30})

    deploy(resources(is_kept=False), name=stack)
    life = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert life == {"TimeToLiveStatus": "DISABLED"}
    assert recovery(aws, name) == "DISABLED"
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=name)


def recovery(aws: Aws, table: str) -> str:
    found = aws.client("dynamodb").describe_continuous_backups(TableName=table)
    told = found["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    return str(told["PointInTimeRecoveryStatus"])


def test_drift_sees_a_secret_that_is_there_and_one_that_is_gone(aws: Aws, deploy: Deploy) -> None:
    cloudformation = aws.client("cloudformation")
    name = f"s-{uuid.uuid4().hex[:8]}"
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name}}
    stack = deploy({"S": secret})
    cloudformation.detect_stack_drift(StackName=stack)
    (drift,) = cloudformation.describe_stack_resource_drifts(StackName=stack)["StackResourceDrifts"]
    assert drift["StackResourceDriftStatus"] == "IN_SYNC"
    aws.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    cloudformation.detect_stack_drift(StackName=stack)
    (drift,) = cloudformation.describe_stack_resource_drifts(StackName=stack)["StackResourceDrifts"]
    assert drift["StackResourceDriftStatus"] == "DELETED"


def test_condition_over_a_split_list_selects_resources(aws: Aws, deploy: Deploy) -> None:
    def has(index: int) -> dict[str, Any]:
        names = {"Fn::Split": [",", {"Fn::Sub": "${Names},,,"}]}
        return {"Fn::Not": [{"Fn::Equals": [{"Fn::Select": [index, names]}, ""]}]}

    stack = deploy(
        {
            f"Queue{index}": {"Type": "AWS::SQS::Queue", "Condition": f"Has{index}"}
            for index in range(3)
        },
        Parameters={"Names": {"Type": "String", "Default": "a,b"}},
        Conditions={f"Has{index}": has(index) for index in range(3)},
    )
    found = aws.client("cloudformation").list_stack_resources(StackName=stack)
    names = [item["LogicalResourceId"] for item in found["StackResourceSummaries"]]
    assert names == ["Queue0", "Queue1"]


def test_reference_to_a_secret_is_its_arn_and_its_value_is_as_asked(
    aws: Aws, deploy: Deploy
) -> None:
    generate = {
        "SecretStringTemplate": '{"current": "k1"}',
        "GenerateStringKey": "k1",
        "PasswordLength": 64,
        "ExcludePunctuation": True,
    }
    stack = deploy(
        {
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"GenerateSecretString": generate},
            }
        },
        Outputs={"Ref": {"Value": {"Ref": "Secret"}}},
    )
    arn = outputs(aws, stack)["Ref"]
    assert arn.startswith("arn:aws:secretsmanager:")
    value = aws.client("secretsmanager").get_secret_value(SecretId=arn)
    secret = json.loads(value["SecretString"])
    assert secret["current"] == "k1"
    assert len(secret["k1"]) == 64
    assert secret["k1"].isalnum()


def test_template_shows_the_address_of_a_nested_one_at_s3(aws: Aws, deploy: Deploy) -> None:
    s3 = aws.client("s3")
    bucket = f"b-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    inner = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": bucket}}}}
    s3.put_object(Bucket=bucket, Key="inner.template", Body=json.dumps(inner).encode())
    url = f"{aws.url}/{bucket}/inner.template"
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    cloudformation = aws.client("cloudformation")
    stack = deploy({"Nested": nested})
    template = cloudformation.get_template(StackName=stack)["TemplateBody"]
    shown = template["Resources"]["Nested"]["Properties"]["TemplateURL"]
    assert shown == f"https://s3.eu-west-1.amazonaws.com/{bucket}/inner.template"
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.1}
    )
    with pytest.raises(ClientError, match="does not exist"):
        aws.client("sqs").get_queue_url(QueueName=bucket)


def test_transform_of_a_nested_template_is_applied(aws: Aws, deploy: Deploy) -> None:
    s3 = aws.client("s3")
    name = f"n-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    inner = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "FunctionName": name,
                    "Runtime": aws.runtime,
                    "Handler": "index.handle",
                    "InlineCode": "def handle(event, context): return 2",
                },
            }
        },
    }
    s3.put_object(Bucket=name, Key="inner.template", Body=json.dumps(inner).encode())
    url = f"{aws.url}/{name}/inner.template"
    deploy({"Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}})
    assert aws.invoke(name, {}) == 2


def test_what_a_nested_stack_retains_outlives_it(aws: Aws) -> None:
    s3, sqs = aws.client("s3"), aws.client("sqs")
    cloudformation = aws.client("cloudformation")
    name = f"r-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    inner = {
        "Resources": {
            policy: {
                "Type": "AWS::SQS::Queue",
                "DeletionPolicy": policy,
                "Properties": {"QueueName": f"{name}-{policy}"},
            }
            for policy in ("RetainExceptOnCreate", "Delete")
        }
    }
    s3.put_object(Bucket=name, Key="inner.template", Body=json.dumps(inner).encode())
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": f"{aws.url}/{name}/inner.template"},
    }
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": {"Nested": nested}})
    )
    wait = {"Delay": 0.1}
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=wait)
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=wait)
    (left,) = sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]
    assert left.endswith("-RetainExceptOnCreate")


def test_nested_stack_whose_resources_stay_is_updated(aws: Aws) -> None:
    s3, cloudformation = aws.client("s3"), aws.client("cloudformation")
    name = f"u-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    parameter = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": name, "Type": "String", "Value": {"Ref": "Text"}},
    }
    inner = {
        "Parameters": {"Text": {"Type": "String"}},
        "Resources": {"Stays": {"Type": "AWS::SQS::Queue"}, "Changes": parameter},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Stays", "Arn"]}}},
    }
    s3.put_object(Bucket=name, Key="inner.template", Body=json.dumps(inner).encode())

    def outer(text: str) -> dict[str, Any]:
        address = f"{aws.url}/{name}/inner.template"
        properties = {"TemplateURL": address, "Parameters": {"Text": text}}
        nested = {"Type": "AWS::CloudFormation::Stack", "Properties": properties}
        output = {"Value": {"Fn::GetAtt": ["Nested", "Outputs.Arn"]}}
        return {"Resources": {"Nested": nested}, "Outputs": {"Arn": output}}

    def arn() -> str:
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return str(stack["Outputs"][0]["OutputValue"])

    wait = {"Delay": 0.1}
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(outer("before")))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=wait)
    before = arn()
    cloudformation.update_stack(StackName=name, TemplateBody=json.dumps(outer("after")))
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=wait)
    assert arn() == before
    value = aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    assert value == "after"


def test_versions_and_aliases_of_a_list_are_made_by_a_loop(aws: Aws, deploy: Deploy) -> None:
    name = f"f-{uuid.uuid4().hex[:8]}"
    body = "def handle(event, context): return context.invoked_function_arn"
    template: dict[str, Any] = {
        "F": function(aws.runtime, FunctionName=name, Code={"ZipFile": body}),
        "V": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}}},
        "Fn::ForEach::Aliases": [
            "Target",
            {"Ref": "Targets"},
            {
                "Alias${Target}": {
                    "Type": "AWS::Lambda::Alias",
                    "Properties": {
                        "FunctionName": {"Ref": "F"},
                        "FunctionVersion": {"Fn::GetAtt": ["V", "Version"]},
                        "Name": {"Ref": "Target"},
                    },
                }
            },
        ],
    }
    sections: dict[str, Any] = {
        "Transform": "AWS::LanguageExtensions",
        "Parameters": {"Targets": {"Type": "CommaDelimitedList", "Default": "orders,invoices"}},
    }
    stack = deploy(template, **sections)
    for alias in ("orders", "invoices"):
        assert aws.invoke(f"{name}:{alias}", {}).endswith(f":function:{name}:{alias}")
    # The template of a new code has a new version, and the aliases follow.
    template["F"] = function(
        aws.runtime,
        FunctionName=name,
        Code={"ZipFile": body.replace("context.", "'new', context.")},
    )
    template["W"], template["V"] = template["V"], template["V"]
    loop = template["Fn::ForEach::Aliases"][2]["Alias${Target}"]["Properties"]
    loop["FunctionVersion"] = {"Fn::GetAtt": ["W", "Version"]}
    sections["Parameters"]["Targets"]["Default"] = "orders,refunds"
    deploy(template, name=stack, **sections)
    for alias in ("orders", "refunds"):
        assert aws.invoke(f"{name}:{alias}", {})[0] == "new"
    with pytest.raises(ClientError) as caught:
        aws.invoke(f"{name}:invoices", {})
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
