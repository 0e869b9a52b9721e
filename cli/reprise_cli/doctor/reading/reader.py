"""Read all that the checks look at, several requests at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reprise.capturing.signature import INVOKER, OPERATOR, PIPELINE
from reprise.doors.alias import Doors
from reprise.version import __version__
from reprise_cli.doctor.checks.callers import has_endpoint, has_plugin
from reprise_cli.doctor.facts import Facts
from reprise_cli.doctor.read import NotRead, known
from reprise_cli.doctor.reading.attempt import each
from reprise_cli.doctor.reading.functions import FunctionReader, RoleReader
from reprise_cli.doctor.reading.path import BucketReader, FirehoseReader, LogsReader
from reprise_cli.doctor.reading.root import read_root
from reprise_cli.doctor.reading.stacks import StackReader
from reprise_cli.doctor.reading.stores import (
    ParameterReader,
    QueueReader,
    SourceReader,
    TableReader,
)
from reprise_cli.doctor.reading.watch import (
    CloudWatchReader,
    KeyReader,
    RuleReader,
    ScheduleReader,
    TopicReader,
)
from reprise_cli.stack import is_complete

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reprise_cli.aws import Aws
    from reprise_cli.doctor.reading.stacks import Family
    from reprise_cli.doctor.things import FunctionFacts

_CLIENTS: Final = (
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "events",
    "firehose",
    "functions",
    "iam",
    "kms",
    "logs",
    "s3",
    "scheduler",
    "secrets",
    "sns",
    "sqs",
    "ssm",
)
METRICS: Final = {
    "StoreFaults": ("Reprise", "stack", "{}"),
    "LostNotifications": ("Reprise", "stack", "{}"),
    "LostLines": ("Reprise", "stack", "{}"),
    "RecursiveInvocationsDropped": ("AWS/Lambda", "FunctionName", "{}-replayer"),
    "Throttles": ("AWS/Lambda", "FunctionName", "{}-invoker"),
    "FailedInvocations": ("AWS/Events", "RuleName", "{}-incidents"),
}
"""Namespace, and a dimension with its value by the stack's name, by the metric's."""
_BY_RESOURCE: Final = ("functions", "log_groups", "own_filters", "queues", "roles", "schedules")
"""Facts of which nothing is known where the stack's resources cannot be listed."""
_SHARED: Final = (INVOKER, PIPELINE, OPERATOR)
"""Sources that come with the root stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads one stack."""

    aws: Aws
    stack: str
    addons: tuple[str, ...]
    """Names of stacks that may be beside it."""
    now: Callable[[], datetime]
    wait: Callable[[float], None]
    """Lets seconds pass."""

    def read(self, *, callers: tuple[str, ...] = (), looks_for_drift: bool = False) -> Facts:
        """Return the facts.

        Args:
            callers: Functions to look at as callers, beside those that are known by their settings.
            looks_for_drift: Whether CloudFormation is to compare all resources now.

        Raises:
            CommandError: If there is no such stack.
        """
        root = read_root(self.aws, self.stack, self.now)
        for name in _CLIENTS:
            getattr(self.aws, name)
        stacks = StackReader(client=self.aws.cloudformation)
        family = stacks.read(self.stack, self.addons)
        facts = Facts(
            stack=self.stack,
            region=self.aws.region,
            account=self.aws.account,
            command_version=__version__,
            stacks=family.states,
            is_up=is_complete(root.outputs),
            clock_ahead_s=root.ahead_s,
            outputs=root.outputs,
            parameters=root.parameters,
            resources=family.resources,
            asked=callers,
        )
        if not facts.is_up:
            return facts
        readers: dict[str, Callable[[], Mapping[str, Any]]] = {
            "path": lambda: self._path(facts),
            "stores": lambda: self._stores(facts),
            "functions": lambda: self._functions(facts, family),
            "watch": lambda: self._watch(facts),
            "callers": lambda: self._callers(facts),
            "drift": lambda: {
                "drift": stacks.drift(family.ids, is_asked=looks_for_drift, wait=self.wait)
            },
        }
        for found in each(readers, lambda name: readers[name]()).values():
            facts = replace(facts, **found)
        if isinstance(facts.resources, NotRead):
            unlisted: dict[str, Any] = {name: {"": facts.resources} for name in _BY_RESOURCE}
            facts = replace(facts, mappings=facts.resources, alarms=facts.resources, **unlisted)
        return facts

    def _path(self, facts: Facts) -> dict[str, Any]:
        extra = [group for group in facts.parameters.get("ExtraLogGroups", "").split(",") if group]
        captured = [facts.outputs["CaptureLogGroup"], *extra]
        groups = _names(facts, "AWS::Logs::LogGroup")
        logs = LogsReader(client=self.aws.logs)
        bucket = BucketReader(
            client=self.aws.s3, bucket=facts.outputs["BucketName"], account=facts.account
        )
        return {
            "log_groups": logs.retention(f"/reprise/{self.stack}", groups),
            "filters": logs.filters(captured),
            "own_filters": logs.filters(group for group in groups if group not in captured),
            "stream": FirehoseReader(client=self.aws.firehose).stream(
                facts.outputs.get("CaptureStream", f"{self.stack}-capture")
            ),
            "notifications": bucket.notifications(),
            "is_versioned": bucket.is_versioned(),
            "is_private": bucket.is_private(),
            "expiries": bucket.expiries(),
        }

    def _stores(self, facts: Facts) -> dict[str, Any]:
        parameters = ParameterReader(client=self.aws.ssm)
        key = facts.parameters.get("KmsKeyArn", "")
        sources = SourceReader(client=self.aws.secrets, stack=self.stack)
        return {
            "queues": QueueReader(client=self.aws.sqs).queues(_names(facts, "AWS::SQS::Queue")),
            "table": TableReader(client=self.aws.dynamodb).table(facts.outputs["LedgerTable"]),
            "policy": parameters.text(facts.outputs["PolicyParameter"]),
            "callers_said": parameters.text(
                facts.outputs.get("CallersParameter", f"/{self.stack}/callers")
            ),
            "sources": sources.sources(_SHARED),
            "key_state": KeyReader(client=self.aws.kms).state(key) if key else None,
        }

    def _functions(self, facts: Facts, family: Family) -> dict[str, Any]:
        reader = FunctionReader(client=self.aws.functions)
        names = _names(facts, "AWS::Lambda::Function")
        arns = [arn.strip() for arn in facts.outputs["TargetArns"].split(",")]
        whole = [arn for arn in arns if ":lambda:" in arn and not arn.endswith("*")]
        doors = Doors.read(facts.outputs.get("FrontDoors", ""), (), invoker="")
        return {
            "functions": reader.functions(names, may_recurse=family.may_recurse()),
            "mappings": reader.mappings(names),
            "targets": reader.functions(whole),
            "limits": reader.limits(),
            "aliases": reader.aliases(facts.outputs["InvokerFunction"], doors.called),
            "roles": RoleReader(client=self.aws.iam).roles(family.wanted_of_roles()),
        }

    def _watch(self, facts: Facts) -> dict[str, Any]:
        cloudwatch = CloudWatchReader(client=self.aws.cloudwatch)
        ours = _names(facts, "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        # An add-on's schedules may be of a group of their own, and are its jobs.
        nested = (
            [
                each_one.physical
                for each_one in known(facts.resources)
                if each_one.kind == "AWS::Scheduler::Schedule" and each_one.stack not in self.addons
            ]
            if not isinstance(facts.resources, NotRead)
            else []
        )
        metrics = {
            name: (namespace, {dimension: value.format(self.stack)})
            for name, (namespace, dimension, value) in METRICS.items()
        }
        topic = facts.outputs.get("IncidentTopicArn", "")
        return {
            "alarms": cloudwatch.alarms(f"{self.stack}-", ours),
            "metrics": cloudwatch.totals(metrics, self.now()),
            "topic": TopicReader(client=self.aws.sns).topic(topic),
            "rule": RuleReader(client=self.aws.events).rule(f"{self.stack}-incidents"),
            "schedules": ScheduleReader(client=self.aws.scheduler).states(nested),
        }

    def _callers(self, facts: Facts) -> dict[str, Any]:
        reader, roles = FunctionReader(client=self.aws.functions), RoleReader(client=self.aws.iam)
        found = reader.all()
        if isinstance(found, NotRead):
            return {"callers": dict.fromkeys(facts.asked or ("",), found)}
        own = set(_names(facts, "AWS::Lambda::Function"))
        callers: dict[str, FunctionFacts | None] = {
            name: function
            for name, function in found.items()
            if name not in own and self._is_caller(function)
        }
        callers |= {name: found.get(name) for name in facts.asked}
        there = {name: function for name, function in callers.items() if function is not None}
        return {
            "callers": callers,
            "caller_roles": each(
                there, lambda name: roles.allowances(there[name].role.rpartition("/")[2])
            ),
            "layers": reader.layers(
                layer for function in there.values() for layer in function.layers
            ),
        }

    def _is_caller(self, function: FunctionFacts) -> bool:
        is_set_up = has_endpoint(function) or has_plugin(function)
        return is_set_up and (function.environment.get("REPRISE_STACK") or "reprise") == self.stack


def _names(facts: Facts, *kinds: str) -> list[str]:
    """Return the physical ids of resources of these types; none if they could not be listed."""
    if isinstance(facts.resources, NotRead):
        return []
    return [each_one.physical for each_one in facts.resources if each_one.kind in kinds]
