"""The dashboard and the alarms show what the code emits, all of it, and nothing else."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from reprise import metric
from reprise.events import SOURCE, Event, IncidentClosed, IncidentOpened, JobFailed, MoreJobsFailed
from reprise.monitor.incidents import RUNBOOKS_OF
from reprise_dashboard.incident import ALARMS, RUNBOOKS
from reprise_dashboard.render import TEMPLATE, rendered
from template.conftest import JOB, TARGET
from template.deployment import LOCAL, Deployment
from template.templates import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from template.deployment import Resource

type Use = tuple[str, frozenset[str]]
"""A metric and the names of its dimensions."""

#: What a statistic over values of a unit can be read as, by the label of an axis.
UNITS = {
    metric.COUNT: re.compile(r"calls|replays|lines|a minute|objects|units"),
    metric.SECONDS: re.compile(r"seconds"),
    metric.MILLISECONDS: re.compile(r"milliseconds"),
    metric.NONE: re.compile(r"state"),
}


@cache
def on_aws() -> Deployment:
    return Deployment(
        {
            "Targets": f"{TARGET},arn:aws:lambda:eu-west-1:111122223333:function:team-*",
            "AlarmTopicArn": "arn:aws:sns:eu-west-1:111122223333:alarms",
            "IncidentEmail": "ops@example.com",
            "SlackWebhookUrl": "https://hooks.example.com/services/x",
        }
    )


@cache
def dashboard() -> dict[str, Any]:
    text = on_aws()["Observability/Dashboard"].properties["DashboardBody"]
    document: dict[str, Any] = json.loads(text)
    return document


def alarms() -> dict[str, Resource]:
    return on_aws().resources("AWS::CloudWatch::Alarm")


def rows() -> Iterator[tuple[dict[str, Any], list[Any]]]:
    for widget in dashboard()["widgets"]:
        for row in widget["properties"].get("metrics", []):
            yield widget, row


def use_of(row: list[Any]) -> tuple[str, Use]:
    """Return namespace, metric and dimensions of a row, written out or searched for."""
    if isinstance(row[0], str):
        namespace, name, *rest = row
        names = [entry for entry in rest if isinstance(entry, str)][::2]
        return namespace, (name, frozenset(names))
    found = re.fullmatch(
        r"SEARCH\('{(\w+),([\w,]+)} stack=\"reprise\" MetricName=\"(\w+)\"', '(\w+)', 60\)",
        row[0]["expression"],
    )
    assert found, row
    return found[1], (found[3], frozenset(found[2].split(",")))


def used_in_alarms() -> Iterator[tuple[str, Use]]:
    for alarm in alarms().values():
        parts = [
            q["MetricStat"]["Metric"]
            for q in alarm.properties.get("Metrics", [])
            if "MetricStat" in q
        ]
        for part in parts or [alarm.properties]:
            names = frozenset(dimension["Name"] for dimension in part["Dimensions"])
            yield part["Namespace"], (part["MetricName"], names)


def used() -> set[Use]:
    shown = [use_of(row) for _, row in rows()] + list(used_in_alarms())
    return {use for namespace, use in shown if namespace == metric.NAMESPACE}


def emitted() -> set[str]:
    """Return the metrics that the code emits: every constant of `metric` that is handed to a meter."""
    names: set[str] = set()
    for path in [*(REPOSITORY / "shared").rglob("*.py"), *(REPOSITORY / "functions").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            arguments: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in {"count", "observe", "gauge"}:
                    arguments = node.args[:1]
            elif isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
                arguments = node.value.elts[:1]
            for argument in arguments:
                if isinstance(argument, ast.Attribute) and ast.unparse(argument.value) == "metric":
                    names.add(getattr(metric, argument.attr))
    return names


def test_every_metric_of_the_table_is_emitted_and_no_other() -> None:
    assert emitted() == set(metric.TABLE)


def test_every_metric_that_is_shown_or_watched_is_emitted_so() -> None:
    sets = {
        (name, frozenset(dimensions))
        for name, row in metric.TABLE.items()
        for dimensions in row.dimensions
    }
    assert used() <= sets


def test_every_metric_that_is_emitted_is_shown_or_watched() -> None:
    assert {name for name, _ in used()} == set(metric.TABLE)


def test_axes_and_numbers_are_in_the_metrics_own_unit() -> None:
    for widget, row in rows():
        namespace, (name, _) = use_of(row)
        if namespace != metric.NAMESPACE:
            continue
        properties = widget["properties"]
        options = row[-1] if isinstance(row[-1], dict) else {}
        side = options.get("yAxis", "left")
        if properties["view"] == "singleValue":
            label = options["label"]
        else:
            label = properties["yAxis"][side]["label"]
        assert UNITS[metric.TABLE[name].unit].search(label), (properties["title"], name)
        if metric.TABLE[name].unit == metric.SECONDS:
            assert "milliseconds" not in label


def test_metrics_of_aws_are_of_the_stacks_own_parts() -> None:
    own = {str(resource.ref).rsplit("/", 1)[-1] for resource in on_aws().resources().values()}
    own |= {group.ref for group in on_aws().resources("AWS::Logs::LogGroup").values()}
    own |= {"Firehose", "reprise-capture"}
    values = [
        value
        for _, row in rows()
        if isinstance(row[0], str) and row[0].startswith("AWS/")
        for value in [entry for entry in row[2:] if isinstance(entry, str)][1::2]
    ]
    assert values
    assert set(values) <= own


def test_expressions_are_searches_alone() -> None:
    """Pages that draw the dashboard elsewhere need to know nothing more: docs/reference/metrics.md."""
    expressions = [row[0]["expression"] for _, row in rows() if isinstance(row[0], dict)]
    assert expressions
    assert all(expression.startswith("SEARCH('{") for expression in expressions)


def test_widgets_fill_the_grid_without_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard()["widgets"]:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        assert widget["x"] + widget["width"] <= 24
        taken |= cells
    bottom = max(y for _, y in taken) + 1
    assert len(taken) == 24 * bottom


def test_variable_starts_with_the_first_target_and_changes_what_shows_one() -> None:
    [variable] = dashboard()["variables"]
    assert variable["property"] == metric.TARGET
    assert variable["defaultValue"] == "orders"
    chosen = [row for _, row in rows() if isinstance(row[0], str) and metric.TARGET in row]
    assert chosen
    assert {row[row.index(metric.TARGET) + 1] for row in chosen} == {"orders"}


@pytest.mark.parametrize(
    ("targets", "label"),
    [(f"{JOB},{TARGET}", "job-definition/nightly"), (f"{TARGET},{JOB}", "orders")],
    ids=["job-first", "function-first"],
)
def test_first_target_is_labelled_as_its_metrics_are(targets: str, label: str) -> None:
    dashboard_of = Deployment({"Targets": targets})["Observability/Dashboard"]
    [variable] = json.loads(dashboard_of.properties["DashboardBody"])["variables"]
    assert variable["defaultValue"] == label == metric.labels(tuple(targets.split(",")))[0]


def test_thresholds_on_the_dashboard_are_those_of_the_alarms() -> None:
    marks = [
        (widget["properties"]["title"], line["value"])
        for widget in dashboard()["widgets"]
        for line in widget["properties"].get("annotations", {}).get("horizontal", [])
        if line["label"].startswith("alarm")
    ]
    thresholds = {float(alarm.properties["Threshold"]) for alarm in alarms().values()}
    assert len(marks) >= 4
    assert {float(value) for _, value in marks} <= thresholds


def test_dashboard_shows_every_alarm_that_every_stack_has() -> None:
    local = Deployment({"ChaosTarget": "true"}, place=LOCAL)
    names = {
        alarm.properties["AlarmName"]
        for alarm in local.resources("AWS::CloudWatch::Alarm").values()
    }
    # Metric math, which the local engine refuses.
    on_aws_only = {"replay-stuck", "ledger-throttled", "observer-silent", "observer-undelivered"}
    assert {f"reprise-{name}" for name in ALARMS if name not in on_aws_only} == names
    [widget] = [widget for widget in dashboard()["widgets"] if widget["type"] == "alarm"]
    shown = {arn.rpartition(":")[2] for arn in widget["properties"]["alarms"]}
    assert names <= shown <= {alarm.properties["AlarmName"] for alarm in alarms().values()}


def test_observer_tells_of_every_alarm_and_its_own_alarms_go_to_the_topic_too() -> None:
    told = set(on_aws().environment("observer")["REPRISE_ALARMS"].split(","))
    # Those of the add-ons, if they are there.
    told -= {"jobs-not-run", "replies-not-delivered"}
    names = {alarm.properties["AlarmName"].removeprefix("reprise-") for alarm in alarms().values()}
    assert told == names
    topic = on_aws().outputs["IncidentTopicArn"]
    for alarm in alarms().values():
        properties = alarm.properties
        is_own = "observer" in properties["AlarmName"]
        assert (topic in properties.get("AlarmActions", [])) == is_own


def test_no_alarm_sends_a_message_when_it_is_made() -> None:
    """A new alarm has no data; its first state is OK, or stays so."""
    for alarm in alarms().values():
        assert "OKActions" not in alarm.properties
        assert "InsufficientDataActions" not in alarm.properties
        assert alarm.properties["TreatMissingData"] != "breaching"
    [composite] = on_aws().resources("AWS::CloudWatch::CompositeAlarm").values()
    assert "INSUFFICIENT_DATA" not in composite.properties["AlarmRule"]


def test_an_alarm_on_dynamodb_fills_what_is_missing() -> None:
    """Such alarms ignore missing data whatever they are told (CloudWatch API reference, PutMetricAlarm)."""
    for alarm in alarms().values():
        assert alarm.properties.get("Namespace") != "AWS/DynamoDB"
        for query in alarm.properties.get("Metrics", []):
            if query.get("MetricStat", {}).get("Metric", {}).get("Namespace") == "AWS/DynamoDB":
                [math] = [q["Expression"] for q in alarm.properties["Metrics"] if q["ReturnData"]]
                assert f"FILL({query['Id']}, 0)" in math


@pytest.mark.parametrize("longest_target_s", [30, 60, 300, 840, 1740])
def test_a_replayer_that_waits_for_slow_targets_does_not_stand_still(longest_target_s: int) -> None:
    """Lambda counts a run when it has ended, under the minute in which it began: two runs may lie between."""
    deployment = Deployment({"Targets": TARGET, "LongestTargetTimeout": str(longest_target_s)})
    [alarm] = [
        alarm.properties
        for alarm in deployment.resources("AWS::CloudWatch::Alarm").values()
        if alarm.properties["AlarmName"] == "reprise-replay-stuck"
    ]
    [period_s] = {
        query["MetricStat"]["Period"] for query in alarm["Metrics"] if not query["ReturnData"]
    }
    looked_at_s = int(alarm["EvaluationPeriods"]) * period_s
    assert looked_at_s >= 2 * int(deployment.function("replayer").properties["Timeout"]) + 120
    assert f"for {alarm['EvaluationPeriods']} minutes" in alarm["AlarmDescription"]


def test_incidents_that_eventbridge_cannot_deliver_are_an_alarm() -> None:
    rules = {rule.properties["Name"] for rule in on_aws().resources("AWS::Events::Rule").values()}
    watched = {
        dimension["Value"]
        for alarm in alarms().values()
        for query in alarm.properties.get("Metrics", [])
        if query.get("MetricStat", {}).get("Metric", {}).get("MetricName") == "FailedInvocations"
        for dimension in query["MetricStat"]["Metric"]["Dimensions"]
    }
    assert watched == rules


@pytest.mark.parametrize("name", [*RUNBOOKS, "jobs-not-run", "replies-not-delivered"])
def test_runbook_says_what_it_means_where_to_look_and_what_to_do(name: str) -> None:
    text = (REPOSITORY / "docs" / "runbooks" / f"{name}.md").read_text()
    for part in ("## What it means", "## Look here", "## Do this"):
        assert part in text


def test_every_alarm_names_a_runbook_that_exists() -> None:
    for alarm in alarms().values():
        name = alarm.properties["AlarmName"].removeprefix("reprise-")
        [runbook] = re.findall(r"docs/runbooks/([a-z-]+)\.md", alarm.properties["AlarmDescription"])
        assert runbook in RUNBOOKS
        assert RUNBOOKS_OF.get(name, name) == runbook


def test_composite_alarm_watches_all_others() -> None:
    [composite] = on_aws().resources("AWS::CloudWatch::CompositeAlarm").values()
    rule = composite.properties["AlarmRule"]
    watched = set(re.findall(r'ALARM\("([^"]+)"\)', rule))
    assert watched == {alarm.ref for alarm in alarms().values()}


def test_template_is_in_step_with_the_description() -> None:
    assert TEMPLATE.read_text() == rendered(), "run `make dashboard`"


def test_slack_hears_of_incidents_on_aws_only_and_what_of() -> None:
    [rule] = [
        rule
        for rule in on_aws().resources("AWS::Events::Rule").values()
        if rule.properties["Name"] == "reprise-slack"
    ]
    [target] = rule.properties["Targets"]
    transformer = target["InputTransformer"]
    sample = re.sub(r"<(\w+)>", "x", transformer["InputTemplate"])
    assert set(json.loads(sample)) == {"text"}
    wanted = {"function", "reason", "count", "age", "dashboard"}
    assert wanted <= set(re.findall(r"<(\w+)>", transformer["InputTemplate"]))
    assert set(re.findall(r"<(\w+)>", transformer["InputTemplate"])) == set(
        transformer["InputPathsMap"]
    )
    local = Deployment(
        {"ChaosTarget": "true", "SlackWebhookUrl": "https://hooks.example.com/x"}, place=LOCAL
    )
    assert not local.resources("AWS::Events::ApiDestination")


def test_topic_and_slack_hear_of_failed_jobs_there_in_the_colour_of_danger() -> None:
    topic, slack = rule_of("reprise-failed-jobs").properties["Targets"]
    for target in (topic, slack):
        transformer = target["InputTransformer"]
        used = set(re.findall(r"<(\w+)>", transformer["InputTemplate"]))
        assert used == set(transformer["InputPathsMap"]) == {"summary", "command"}
    filled = re.sub(r"<(\w+)>", "x", slack["InputTransformer"]["InputTemplate"])
    [attachment] = json.loads(filled)["attachments"]
    assert attachment["color"] == "danger"
    [incidents] = rule_of("reprise-slack").properties["Targets"]
    assert (slack["Arn"], slack["RoleArn"]) == (incidents["Arn"], incidents["RoleArn"])
    [told] = rule_of("reprise-incidents").properties["Targets"]
    assert topic["Arn"] == told["Arn"]


def test_rules_that_post_to_slack_are_those_that_its_role_trusts() -> None:
    rules = {
        rule.properties["Name"]
        for rule in on_aws().resources("AWS::Events::Rule").values()
        if any("RoleArn" in target for target in rule.properties["Targets"])
    }
    role = on_aws()["Observability/SlackRole"].properties["AssumeRolePolicyDocument"]
    [statement] = role["Statement"]
    trusted = statement["Condition"]["ArnLike"]["aws:SourceArn"]
    assert {arn.rpartition("/")[2] for arn in trusted} == rules


def rule_of(name: str) -> Resource:
    [rule] = [
        rule
        for rule in on_aws().resources("AWS::Events::Rule").values()
        if rule.properties["Name"] == name
    ]
    return rule


def test_rules_match_what_the_observer_sends() -> None:
    told: list[tuple[type[Event], ...]] = [
        (IncidentOpened, IncidentClosed),
        (JobFailed, MoreJobsFailed),
    ]
    fields = {
        tuple(kind.detail_type for kind in kinds): set.intersection(
            *(set(kind.__struct_fields__) for kind in kinds)
        )
        for kinds in told
    }
    seen = set()
    for rule in on_aws().resources("AWS::Events::Rule").values():
        pattern = rule.properties["EventPattern"]
        assert pattern["source"] == [SOURCE]
        kinds = tuple(pattern["detail-type"])
        seen.add(kinds)
        for target in rule.properties["Targets"]:
            for path in target["InputTransformer"]["InputPathsMap"].values():
                assert path == "$.detail-type" or path.removeprefix("$.detail.") in fields[kinds]
    assert seen == set(fields)


def test_only_eventbridge_and_the_observers_alarms_may_publish() -> None:
    """EventBridge takes no Condition (EventBridge user guide, "Using resource-based policies")."""
    [policy] = on_aws().resources("AWS::SNS::TopicPolicy").values()
    allowed = {
        statement["Principal"]["Service"]: statement.get("Condition", {})
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    }
    assert allowed["events.amazonaws.com"] == {}
    alarms_arn = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:reprise-observer-*"
    assert allowed["cloudwatch.amazonaws.com"]["ArnLike"] == {"aws:SourceArn": alarms_arn}
    assert len(allowed) == 2
