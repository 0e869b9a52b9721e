"""What watches: alarms and metrics, who hears of incidents, what starts functions by the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.read import NotRead
from reprise_cli.doctor.reading.attempt import attempt, attempt_there, each
from reprise_cli.doctor.things import AlarmFacts, RuleFacts, TopicFacts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from reprise_cli.doctor.read import Read, ReadEach

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchReader:
    """Reads CloudWatch."""

    client: Any

    def alarms(self, prefix: str, ours: Collection[str]) -> Read[Mapping[str, AlarmFacts]]:
        """Return those of our alarms that are there: another stack's names may begin like ours."""

        def ask() -> dict[str, AlarmFacts]:
            kinds = ["MetricAlarm", "CompositeAlarm"]
            pages = self.client.get_paginator("describe_alarms").paginate(
                AlarmNamePrefix=prefix, AlarmTypes=kinds
            )
            found = [
                alarm
                for page in pages
                for alarm in (*page.get("MetricAlarms", []), *page.get("CompositeAlarms", []))
            ]
            return {
                alarm["AlarmName"]: AlarmFacts(
                    state=alarm.get("StateValue", ""),
                    is_enabled=bool(alarm.get("ActionsEnabled", True)),
                    actions=tuple(alarm.get("AlarmActions", [])),
                    says=alarm.get("AlarmDescription", ""),
                )
                for alarm in found
                if alarm["AlarmName"] in ours
            }

        return attempt_there("cloudwatch:DescribeAlarms", ask, "alarms")

    def totals(
        self, metrics: Mapping[str, tuple[str, Mapping[str, str]]], now: datetime
    ) -> ReadEach[float | None]:
        """Return sums of the last day.

        Args:
            metrics: Namespace and dimensions, by the metric's name.
            now: The present.
        """
        names = list(metrics)

        def ask() -> dict[str, float | None]:
            found = self.client.get_metric_data(
                MetricDataQueries=[
                    _query(f"m{number}", name, *metrics[name]) for number, name in enumerate(names)
                ],
                StartTime=now - timedelta(seconds=_DAY_S),
                EndTime=now,
            )["MetricDataResults"]
            by_id = {result["Id"]: result.get("Values", []) for result in found}
            values = {name: by_id.get(f"m{number}", []) for number, name in enumerate(names)}
            return {name: sum(each_one) if each_one else None for name, each_one in values.items()}

        totals = attempt_there("cloudwatch:GetMetricData", ask, "metrics")
        return dict.fromkeys(names, totals) if isinstance(totals, NotRead) else totals


def _query(key: str, name: str, namespace: str, dimensions: Mapping[str, str]) -> dict[str, Any]:
    listed = [{"Name": dimension, "Value": value} for dimension, value in dimensions.items()]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": listed}
    return {"Id": key, "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicReader:
    """Reads SNS."""

    client: Any

    def topic(self, arn: str) -> Read[TopicFacts | None]:
        """Return how many have subscribed."""

        def ask() -> TopicFacts:
            told = self.client.get_topic_attributes(TopicArn=arn)["Attributes"]
            return TopicFacts(
                confirmed=int(told.get("SubscriptionsConfirmed", 0)),
                pending=int(told.get("SubscriptionsPending", 0)),
            )

        return attempt("sns:GetTopicAttributes", ask)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReader:
    """Reads EventBridge."""

    client: Any

    def rule(self, name: str) -> Read[RuleFacts | None]:
        """Return a rule of the default bus."""
        state = attempt(
            "events:DescribeRule", lambda: self.client.describe_rule(Name=name)["State"]
        )
        if state is None or isinstance(state, NotRead):
            return state
        targets = attempt(
            "events:ListTargetsByRule",
            lambda: tuple(
                entry["Arn"] for entry in self.client.list_targets_by_rule(Rule=name)["Targets"]
            ),
        )
        return (
            targets
            if isinstance(targets, NotRead)
            else RuleFacts(state=state, targets=targets or ())
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleReader:
    """Reads EventBridge Scheduler."""

    client: Any

    def states(self, names: Iterable[str]) -> ReadEach[str | None]:
        """Return the states of schedules of the default group."""
        return each(
            names,
            lambda name: attempt(
                "scheduler:GetSchedule", lambda: str(self.client.get_schedule(Name=name)["State"])
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReader:
    """Reads KMS."""

    client: Any

    def state(self, arn: str) -> Read[str | None]:
        """Return the state of a key."""
        found = attempt(
            "kms:DescribeKey",
            lambda: str(self.client.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]),
        )
        return "gone" if found is None else found
