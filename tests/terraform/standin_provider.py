"""A stand-in for Terraform's provider hashicorp/aws: the types that infra/terraform uses, made by boto3.

Runs in .tools/terraform, as a plugin of Terraform's. A type takes arguments that the provider's version 6
has, and no others, so that what the module misspells fails here as it would there. Their names are those of
the bindings that CDK for Terraform generated of it (@cdktf/provider-aws 21.22.1).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import boto3
from tf import types
from tf.runner import run_provider
from tf.schema import Attribute, Schema

TEXT, FLAG, NUMBER = types.String(), types.Bool(), types.Number()
TEXTS, MAP = types.Set(TEXT), types.Map(TEXT)
#: Arguments whose type is no text; all others are texts.
TYPES = {
    "capabilities": TEXTS,
    "notification_arns": TEXTS,
    "compatible_architectures": TEXTS,
    "compatible_runtimes": TEXTS,
    "disable_rollback": FLAG,
    "skip_destroy": FLAG,
    "force_destroy": FLAG,
    "timeout_in_minutes": NUMBER,
    "parameters": MAP,
    "outputs": MAP,
    "tags": MAP,
    "metadata": MAP,
}


def client(service: str) -> Any:
    """Return a client of the local engine, whose address is in the environment."""
    made: Any = boto3.Session(region_name=os.environ["AWS_DEFAULT_REGION"])
    return made.client(service)


class Standin:
    """One type."""

    name: ClassVar[str]
    required: ClassVar[str] = ""
    optional: ClassVar[str] = ""
    computed: ClassVar[str] = ""

    def __init__(self, _provider: object) -> None:
        """Take what the framework gives."""

    @classmethod
    def get_name(cls) -> str:
        return cls.name

    @classmethod
    def get_schema(cls) -> Schema:
        kinds = {"required": cls.required, "optional": cls.optional, "computed": cls.computed}
        return Schema(
            version=1,  # of what has none, each state would be upgraded
            attributes=[
                Attribute(each, TYPES.get(each, TEXT), **{kind: True})
                for kind, names in kinds.items()
                for each in names.split()
            ],
        )

    def validate(self, _diagnostics: object, _type_name: str, _config: object) -> None:
        """Leave it to Terraform, which has the schema."""

    def plan(self, _context: object, _current: object, planned: dict[str, Any]) -> dict[str, Any]:
        return planned

    def read(self, _context: object, current: dict[str, Any]) -> dict[str, Any]:
        return current

    def create(self, _context: object, planned: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in planned.items() if value is not None}
        return {**planned, **self.make(given)}

    def update(self, context: object, _current: object, planned: dict[str, Any]) -> dict[str, Any]:
        return self.create(context, planned)

    def make(self, given: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def delete(self, _context: object, current: dict[str, Any]) -> None:
        """Leave it."""


class Stack(Standin):
    name = "cloudformation_stack"
    required = "name"
    optional = (
        "capabilities disable_rollback iam_role_arn notification_arns on_failure parameters policy_body "
        "policy_url region tags template_body template_url timeout_in_minutes"
    )
    computed = "id outputs"

    def make(self, given: dict[str, Any]) -> dict[str, Any]:
        texts = {"template_body": "TemplateBody", "template_url": "TemplateURL"}
        parameters = given.get("parameters", {})
        cloudformation = client("cloudformation")
        named = {"StackName": given["name"], "ChangeSetName": "terraform"}
        cloudformation.create_change_set(
            **named,
            **{texts[name]: given[name] for name in texts if name in given},
            ChangeSetType="CREATE",
            Capabilities=list(given.get("capabilities", [])),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in parameters.items()
            ],
        )
        wait = {"Delay": 0.5, "MaxAttempts": 300}
        cloudformation.get_waiter("change_set_create_complete").wait(**named, WaiterConfig=wait)
        cloudformation.execute_change_set(**named)
        made = {"StackName": given["name"]}
        cloudformation.get_waiter("stack_create_complete").wait(**made, WaiterConfig=wait)
        [stack] = cloudformation.describe_stacks(**made)["Stacks"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        return {"id": stack["StackId"], "outputs": outputs}

    def delete(self, _context: object, current: dict[str, Any]) -> None:
        cloudformation, named = client("cloudformation"), {"StackName": current["name"]}
        cloudformation.delete_stack(**named)
        wait = {"Delay": 0.5, "MaxAttempts": 300}
        cloudformation.get_waiter("stack_delete_complete").wait(**named, WaiterConfig=wait)


class S3Object(Standin):
    name = "s3_object"
    required = "bucket key"
    optional = (
        "acl cache_control content content_base64 content_type etag force_destroy kms_key_id metadata region "
        "server_side_encryption source source_hash storage_class tags"
    )
    computed = "id version_id"

    def make(self, given: dict[str, Any]) -> dict[str, Any]:
        source = given.get("source")
        body = Path(source).read_bytes() if source else given["content"].encode()
        client("s3").put_object(Bucket=given["bucket"], Key=given["key"], Body=body)
        return {"id": given["key"], "version_id": ""}


class Layer(Standin):
    name = "lambda_layer_version"
    required = "layer_name"
    optional = (
        "compatible_architectures compatible_runtimes description filename license_info region s3_bucket "
        "s3_key s3_object_version skip_destroy source_code_hash"
    )
    computed = "arn id version"

    def make(self, given: dict[str, Any]) -> dict[str, Any]:
        layer = client("lambda").publish_layer_version(
            LayerName=given["layer_name"],
            Content={"ZipFile": Path(given["filename"]).read_bytes()},
            CompatibleArchitectures=list(given["compatible_architectures"]),
        )
        arn = layer["LayerVersionArn"]
        return {"arn": arn, "id": arn, "version": str(layer["Version"])}


class Alias(Standin):
    name = "lambda_alias"
    required = "function_name function_version name"
    optional = "description region"
    computed = "arn id"

    def make(self, given: dict[str, Any]) -> dict[str, Any]:
        alias = client("lambda").create_alias(
            FunctionName=given["function_name"],
            FunctionVersion=given["function_version"],
            Name=given["name"],
            Description=given.get("description", ""),
        )
        return {"arn": alias["AliasArn"], "id": alias["AliasArn"]}

    def delete(self, _context: object, current: dict[str, Any]) -> None:
        client("lambda").delete_alias(FunctionName=current["function_name"], Name=current["name"])


class RolePolicy(Standin):
    name = "iam_role_policy"
    required = "policy role"
    optional = "name name_prefix"
    computed = "id"

    def make(self, given: dict[str, Any]) -> dict[str, Any]:
        client("iam").put_role_policy(
            RoleName=given["role"], PolicyName=given["name"], PolicyDocument=given["policy"]
        )
        return {"id": f"{given['role']}:{given['name']}"}

    def delete(self, _context: object, current: dict[str, Any]) -> None:
        client("iam").delete_role_policy(RoleName=current["role"], PolicyName=current["name"])


class CallerIdentity(Standin):
    name = "caller_identity"
    computed = "account_id arn id user_id"

    def read(self, _context: object, _config: dict[str, Any]) -> dict[str, Any]:
        here = client("sts").get_caller_identity()
        account = here["Account"]
        return {"account_id": account, "arn": here["Arn"], "id": account, "user_id": here["UserId"]}


class Partition(Standin):
    name = "partition"
    computed = "dns_suffix id partition reverse_dns_prefix"

    def read(self, _context: object, _config: dict[str, Any]) -> dict[str, Any]:
        names = {"dns_suffix": "amazonaws.com", "reverse_dns_prefix": "com.amazonaws"}
        return {**names, "id": "aws", "partition": "aws"}


class BucketData(Standin):
    name = "s3_bucket"
    required = "bucket"
    computed = "arn bucket_domain_name bucket_region bucket_regional_domain_name id region"

    def read(self, _context: object, config: dict[str, Any]) -> dict[str, Any]:
        bucket, region = config["bucket"], os.environ["AWS_DEFAULT_REGION"]
        client("s3").head_bucket(Bucket=bucket)
        return {
            "bucket": bucket,
            "arn": f"arn:aws:s3:::{bucket}",
            "bucket_domain_name": f"{bucket}.s3.amazonaws.com",
            "bucket_region": region,
            "bucket_regional_domain_name": f"{bucket}.s3.{region}.amazonaws.com",
            "id": bucket,
            "region": region,
        }


class StandinProvider:
    """The provider."""

    def get_model_prefix(self) -> str:
        return "aws_"

    def full_name(self) -> str:
        return "registry.terraform.io/hashicorp/aws"

    def get_provider_schema(self, _diagnostics: object) -> Schema:
        return Schema(attributes=[Attribute("region", TEXT, optional=True)])

    def validate_config(self, _diagnostics: object, _config: object) -> None:
        """Take any."""

    def configure_provider(self, _diagnostics: object, _config: object) -> None:
        """Take what is in the environment."""

    def get_resources(self) -> list[type[Standin]]:
        return [Stack, S3Object, Layer, Alias, RolePolicy]

    def get_data_sources(self) -> list[type[Standin]]:
        return [CallerIdentity, Partition, BucketData]

    def get_functions(self) -> list[type]:
        return []

    def new_resource(self, kind: type[Standin]) -> Standin:
        return kind(self)

    def new_data_source(self, kind: type[Standin]) -> Standin:
        return kind(self)


if __name__ == "__main__":
    run_provider(StandinProvider())
