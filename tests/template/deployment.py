"""A deployment on paper: every resource of the stack, its nested stacks and add-ons, with plain values.

Resolves what the templates use of CloudFormation's functions, and nothing more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from template.templates import ADDONS, BUILD, ROOT, transformed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_NO_VALUE: Final = object()

#: What Ref and GetAtt Arn give, made of a resource's own properties.
_REF: Final = {
    "AWS::CloudWatch::Alarm": "{AlarmName}",
    "AWS::CloudWatch::CompositeAlarm": "{AlarmName}",
    "AWS::CloudWatch::Dashboard": "{DashboardName}",
    "AWS::DynamoDB::Table": "{TableName}",
    "AWS::KinesisFirehose::DeliveryStream": "{DeliveryStreamName}",
    "AWS::Lambda::Function": "{FunctionName}",
    "AWS::Lambda::LayerVersion": "arn:{partition}:lambda:{region}:{account}:layer:{LayerName}:1",
    "AWS::Logs::LogGroup": "{LogGroupName}",
    "AWS::Logs::LogStream": "{LogStreamName}",
    "AWS::S3::Bucket": "{BucketName}",
    "AWS::SNS::Topic": "arn:{partition}:sns:{region}:{account}:{TopicName}",
    "AWS::SQS::Queue": "https://sqs.{region}.{url_suffix}/{account}/{QueueName}",
    "AWS::SSM::Parameter": "{Name}",
    "AWS::Scheduler::Schedule": "{Name}",
    "AWS::Scheduler::ScheduleGroup": "{Name}",
    "AWS::SecretsManager::Secret": "arn:{partition}:secretsmanager:{region}:{account}:secret:{Name}-a1b2c3",
}
_ARN: Final = {
    "AWS::Events::ApiDestination": "arn:{partition}:events:{region}:{account}:api-destination/{path}/1",
    "AWS::Events::Connection": "arn:{partition}:events:{region}:{account}:connection/{path}/1",
    "AWS::DynamoDB::Table": "arn:{partition}:dynamodb:{region}:{account}:table/{TableName}",
    "AWS::IAM::Role": "arn:{partition}:iam::{account}:role/{path}",
    "AWS::KinesisFirehose::DeliveryStream": (
        "arn:{partition}:firehose:{region}:{account}:deliverystream/{DeliveryStreamName}"
    ),
    "AWS::Lambda::Function": "arn:{partition}:lambda:{region}:{account}:function:{FunctionName}",
    "AWS::Logs::LogGroup": "arn:{partition}:logs:{region}:{account}:log-group:{LogGroupName}:*",
    "AWS::S3::Bucket": "arn:{partition}:s3:::{BucketName}",
    "AWS::SQS::Queue": "arn:{partition}:sqs:{region}:{account}:{QueueName}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the stack is deployed."""

    partition: str = "aws"
    url_suffix: str = "amazonaws.com"
    region: str = "eu-west-1"
    account: str = "111122223333"
    stack: str = "reprise"


LOCAL: Final = Place(region="us-east-1", account="000000000000")
"""The local engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One deployed resource."""

    path: str
    """Logical ids, such as `Capture/Bucket`."""
    type: str
    properties: Mapping[str, Any]
    arn: str
    ref: str
    declaration: Mapping[str, Any]
    """As in the template: deletion policies, dependencies."""


@dataclass(slots=True)
class Deployment:
    """The stack, deployed on paper with some parameters, and add-ons beside it, each with its own."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    place: Place = field(default_factory=Place)
    addons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    _root: _Stack = field(init=False)
    _beside: dict[str, _Stack] = field(init=False)

    def __post_init__(self) -> None:
        """Expand the root template, then those of the add-ons."""
        self._root = _Stack(ROOT, self.parameters, self.place, "")
        self._beside = {
            name: _Stack(
                ADDONS[name],
                {"RootStack": self.place.stack, **given},
                replace(self.place, stack=f"{self.place.stack}-{name}"),
                f"{name.title()}/",
                self.exports,
            )
            for name, given in self.addons.items()
        }

    @property
    def exports(self) -> dict[str, str]:
        """What the root stack exports, by the names that others import."""
        return self._root.exports()

    def outputs_of(self, addon: str) -> dict[str, str]:
        """Return the outputs of an add-on's stack."""
        stack = self._beside[addon]
        return {name: stack.output(name) for name in stack.output_names()}

    @property
    def outputs(self) -> dict[str, str]:
        """The root stack's outputs."""
        return {name: self._root.output(name) for name in self._root.output_names()}

    def resources(self, kind: str = "") -> dict[str, Resource]:
        """Return every resource, or those of one type, by path."""
        return {
            resource.path: resource
            for stack in (self._root, *self._beside.values())
            for resource in stack.resources()
            if kind in {"", resource.type}
        }

    def __getitem__(self, path: str) -> Resource:
        """Return one resource by its path."""
        return self.resources()[path]

    def function(self, name: str) -> Resource:
        """Return a function by the end of its name."""
        stacks = (self.place.stack, *(f"{self.place.stack}-{addon}" for addon in self.addons))
        names = {f"{stack}-{name}" for stack in stacks}
        [found] = [
            function
            for function in self.resources("AWS::Lambda::Function").values()
            if function.properties["FunctionName"] in names
        ]
        return found

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a function."""
        variables: dict[str, Any] = self.function(name).properties["Environment"]["Variables"]
        return {key: str(value) for key, value in variables.items()}

    def statements(self, role_arn: str) -> list[dict[str, Any]]:
        """Return what a role allows."""
        [role] = [r for r in self.resources("AWS::IAM::Role").values() if r.arn == role_arn]
        return [
            statement
            for policy in role.properties["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]


class _Stack:
    """One template with its parameters."""

    def __init__(
        self,
        path: Path,
        given: Mapping[str, str],
        place: Place,
        prefix: str,
        imports: Mapping[str, str] | None = None,
    ) -> None:
        self._template = transformed(path)
        self._imports = imports or {}
        self._place = place
        self._prefix = prefix
        declared = self._template.get("Parameters", {})
        unknown = set(given) - set(declared)
        assert not unknown, f"{path} has no parameters {unknown}"
        values = {name: given.get(name, spec.get("Default")) for name, spec in declared.items()}
        missing = [name for name, value in values.items() if value is None]
        assert not missing, f"{path} needs parameters {missing}"
        self._parameters = {
            **{name: str(value) for name, value in values.items()},
            "AWS::AccountId": place.account,
            "AWS::Partition": place.partition,
            "AWS::Region": place.region,
            "AWS::StackName": place.stack,
            "AWS::URLSuffix": place.url_suffix,
        }
        self._children: dict[str, _Stack] = {}

    def output_names(self) -> list[str]:
        outputs = self._template.get("Outputs", {})
        return [name for name, output in outputs.items() if self._is_made(output)]

    def output(self, name: str) -> str:
        return str(self._resolve(self._template["Outputs"][name]["Value"]))

    def exports(self) -> dict[str, str]:
        outputs = self._template.get("Outputs", {})
        return {
            self._resolve(outputs[name]["Export"]["Name"]): self.output(name)
            for name in self.output_names()
            if "Export" in outputs[name]
        }

    def resources(self) -> Iterator[Resource]:
        for name, declaration in self._template["Resources"].items():
            if not self._is_made(declaration):
                continue
            if declaration["Type"] == "AWS::CloudFormation::Stack":
                yield from self._child(name).resources()
                continue
            yield Resource(
                path=self._prefix + name,
                type=declaration["Type"],
                properties=self._resolve(declaration.get("Properties", {})),
                arn=self._attribute(name, _ARN),
                ref=self._attribute(name, _REF),
                declaration=declaration,
            )

    def _is_made(self, declaration: Mapping[str, Any]) -> bool:
        condition = declaration.get("Condition")
        return condition is None or self._condition(condition)

    def _condition(self, name: str) -> bool:
        return bool(self._resolve(self._template["Conditions"][name]))

    def _child(self, name: str) -> _Stack:
        if name not in self._children:
            properties = self._template["Resources"][name]["Properties"]
            self._children[name] = _Stack(
                BUILD / properties["TemplateURL"],
                self._resolve(properties["Parameters"]),
                self._place,
                f"{self._prefix}{name}/",
            )
        return self._children[name]

    def _attribute(self, name: str, forms: Mapping[str, str]) -> str:
        declaration = self._template["Resources"][name]
        form = forms.get(declaration["Type"], "{path}")
        properties = declaration.get("Properties", {})
        wanted = {key for key in re.findall(r"{(\w+)}", form) if key in properties}
        place = self._place
        return form.format(
            path=self._prefix + name,
            partition=place.partition,
            region=place.region,
            account=place.account,
            url_suffix=place.url_suffix,
            **{key: self._resolve(properties[key]) for key in wanted},
        )

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            resolved = [self._resolve(entry) for entry in value]
            return [entry for entry in resolved if entry is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, argument)] = value.items()
            if function in {"Ref", "Condition"} or function.startswith("Fn::"):
                return self._call(function, argument)
        resolved_entries = {key: self._resolve(entry) for key, entry in value.items()}
        return {key: entry for key, entry in resolved_entries.items() if entry is not _NO_VALUE}

    def _call(self, function: str, argument: Any) -> Any:  # noqa: C901, PLR0911, PLR0912 - one row a function
        match function, argument:
            case "Ref", "AWS::NoValue":
                return _NO_VALUE
            case "Ref", name:
                return self._parameters.get(name) or (
                    "" if name in self._parameters else self._attribute(name, _REF)
                )
            case "Condition", name:
                return self._condition(name)
            case "Fn::GetAtt", [name, attribute]:
                return self._get_attribute(name, attribute)
            case "Fn::Sub", _:
                return self._substitute(argument)
            case "Fn::ImportValue", name:
                return self._imports[self._resolve(name)]
            case "Fn::If", [condition, yes, no]:
                return self._resolve(yes if self._condition(condition) else no)
            case "Fn::Equals", [left, right]:
                return self._resolve(left) == self._resolve(right)
            case "Fn::And", conditions:
                return all(self._resolve(condition) for condition in conditions)
            case "Fn::Not", [condition]:
                return not self._resolve(condition)
            case "Fn::Join", [separator, parts]:
                return separator.join(map(str, self._resolve(parts)))
            case "Fn::Split", [separator, text]:
                return self._resolve(text).split(separator)
            case "Fn::Select", [index, entries]:
                return self._resolve(entries)[int(index)]
            case "Fn::FindInMap", [mapping, first, second]:
                row = self._template["Mappings"][mapping][self._resolve(first)]
                return row[self._resolve(second)]
            case _:
                message = f"{function} {argument}: not resolved here"
                raise NotImplementedError(message)

    def _get_attribute(self, name: str, attribute: str) -> str:
        if attribute.startswith("Outputs."):
            return self._child(name).output(attribute.removeprefix("Outputs."))
        if attribute == "Arn":
            return self._attribute(name, _ARN)
        return str(self._resolve(self._template["Resources"][name]["Properties"][attribute]))

    def _substitute(self, argument: str | list[Any]) -> str:
        text, values = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name in values:
                return str(self._resolve(values[name]))
            if "." in name:
                return self._get_attribute(*name.split(".", 1))
            return str(self._call("Ref", name))

        # `${!Name}` is the text `${Name}`: a variable of IAM's (CloudFormation user guide, Fn::Sub).
        return re.sub(r"\${([^!}][^}]*)}", replace, text).replace("${!", "${")
