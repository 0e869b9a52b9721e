"""The add-ons beside the root, schedules and batch: who may do what, and what is tried again."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from reprise.aws.job_book import NAMED, OTHERS
from reprise_batch.event import EVENTS_PREFIX
from reprise_batch.failure import JOB as JOB_TAG
from reprise_cli.stack import from_outputs, schedules_from_outputs
from reprise_schedules.settings import RunnerSettings
from reprise_schedules.warm import read_order
from reprise_schedules_cli.schedule.cron import Cron
from reprise_schedules_cli.schedule.expression import find_zone, parse_expression
from template.conftest import ADDONS as ADDONS_NEED
from template.conftest import JOB, TARGET
from template.deployment import Deployment
from template.templates import ADDON_SOURCES, ADDONS, REPOSITORY, SOURCES, read

if TYPE_CHECKING:
    from pathlib import Path

    from template.deployment import Resource

WARM = f"{TARGET},arn:aws:lambda:eu-west-1:111122223333:function:basket:live"


def statements(resource: Resource) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = resource.properties["Policies"][0]["PolicyDocument"]["Statement"]
    return found


def test_one_schedule_warms_every_listed_function(full: Deployment) -> None:
    window = full["Schedules/WarmWindow"]
    target = window.properties["Target"]
    order = read_order(json.loads(target["Input"]))
    assert order.names == tuple(WARM.split(","))
    assert order.payload == {"reprise": "warm"}
    assert target["Arn"] == full.function("warmer").arn


def test_warmer_may_invoke_exactly_the_listed_functions_and_is_captured_by_nobody(
    full: Deployment,
) -> None:
    invoke, *others = full.statements(full.function("warmer").properties["Role"])
    assert invoke["Action"] == "lambda:InvokeFunction"
    assert invoke["Resource"] == WARM.split(",")
    assert {str(statement["Sid"]) for statement in others} == {"WriteLogs", "Trace"}
    group = full.function("warmer").properties["LoggingConfig"]["LogGroup"]
    filters = full.resources("AWS::Logs::SubscriptionFilter").values()
    assert group not in {found.properties["LogGroupName"] for found in filters}


def test_schedules_may_do_their_one_thing(full: Deployment) -> None:
    (send, *key) = statements(full["Schedules/JobsSchedulerRole"])
    assert send["Action"] == "sqs:SendMessage"
    assert send["Resource"] == [
        full.outputs_of("schedules")["JobsQueueArn"],
        full.outputs_of("schedules")["JobsDeadLetterQueueArn"],
    ]
    assert [statement["Sid"] for statement in key] == ["UseKey"]
    (invoke,) = statements(full["Schedules/WarmSchedulerRole"])
    assert invoke["Resource"] == full.function("warmer").arn


def test_late_ping_is_not_tried_again(full: Deployment) -> None:
    window = full["Schedules/WarmWindow"]
    assert window.properties["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0
    [config] = [
        config
        for config in full.resources("AWS::Lambda::EventInvokeConfig").values()
        if config.properties["FunctionName"] == full.function("warmer").ref
    ]
    assert config.properties["MaximumRetryAttempts"] == 0


def test_runner_writes_items_of_jobs_only(full: Deployment) -> None:
    [put] = [
        statement
        for statement in full.statements(full.function("runner").properties["Role"])
        if statement["Action"] == "dynamodb:PutItem"
    ]
    assert put["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["job#*"]}}
    [update] = [
        statement
        for statement in full.statements(full.function("runner").properties["Role"])
        if statement["Action"] == "dynamodb:UpdateItem"
    ]
    book = {"dynamodb:LeadingKeys": [NAMED, OTHERS]}
    assert update["Condition"] == {"ForAllValues:StringEquals": book}


def test_defaults_of_the_warm_window_mean_something() -> None:
    parameters = read(ADDONS["schedules"])["Parameters"]
    zone = find_zone(parameters["WarmTimezone"]["Default"])
    assert zone.key == "UTC"
    expression = parse_expression(parameters["WarmSchedule"]["Default"])
    assert isinstance(expression, Cron)
    assert expression.hours == (6, 7, 8, 9, 11, 12, 13, 16, 17, 18, 19, 20, 21)


def test_nothing_is_warmed_and_the_runner_submits_no_batch_job_unless_asked(
    beside: Deployment,
) -> None:
    assert not [path for path in beside.resources() if "Warm" in path]
    assert beside["Batch/SubmitJobs"].properties["Roles"] == ["Replay/ReplayerRole"]
    assert "Batch/EndOverlaps" not in beside.resources()


def test_runner_alone_may_end_batch_jobs_and_only_those_of_schedules(full: Deployment) -> None:
    policy = full["Batch/EndOverlaps"]
    assert policy.properties["Roles"] == ["Schedules/RunnerRole"]
    see, end = policy.properties["PolicyDocument"]["Statement"]
    assert (see["Action"], see["Resource"]) == ("batch:ListJobs", "*")
    assert end["Action"] == "batch:TerminateJob"
    assert end["Resource"] == "arn:aws:batch:eu-west-1:111122223333:job/*"
    assert end["Condition"] == {"Null": {f"aws:ResourceTag/{JOB_TAG}": "false"}}
    enders = [
        path
        for path, found in full.resources().items()
        if "TerminateJob" in json.dumps(dict(found.properties))
    ]
    assert enders == ["Batch/EndOverlaps"]


def test_root_stack_has_nothing_of_the_add_ons(plain: Deployment) -> None:
    text = json.dumps([dict(found.properties) for found in plain.resources().values()])
    assert "reprise-jobs" not in text.replace("reprise-jobs-not-run", "")
    assert not [path for path in plain.resources() if "Runner" in path or "Batch" in path]


def test_everything_of_an_add_on_is_named_by_its_own_stack_but_what_the_root_looks_for(
    full: Deployment,
) -> None:
    """What an earlier root kept, such as its queue of runs that were not made, is in nobody's way."""
    names = {
        path: value
        for path, found in full.resources().items()
        if path.startswith(("Schedules/", "Batch/"))
        for key, value in found.properties.items()
        if key.endswith("Name") and key != "MetricName" and isinstance(value, str)
    }
    others = {
        path: name
        for path, name in names.items()
        if "reprise-schedules" not in name and "reprise-batch" not in name
    }
    assert others == {
        "Schedules/SourceSecret": "reprise/source/schedules",
        "Schedules/JobsNotRunAlarm": "reprise-jobs-not-run",
    }


def test_observer_knows_the_alarm_of_the_add_on_and_its_runbook(beside: Deployment) -> None:
    alarm = beside["Schedules/JobsNotRunAlarm"].properties
    told = beside.environment("observer")["REPRISE_ALARMS"].split(",")
    assert alarm["AlarmName"].removeprefix("reprise-") in told
    assert "docs/runbooks/jobs-not-run.md" in alarm["AlarmDescription"]
    assert (REPOSITORY / "docs/runbooks/jobs-not-run.md").exists()
    queue = beside["Schedules/JobsDeadLetterQueue"].properties["QueueName"]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": queue}]


def test_runner_works_for_the_root_with_keys_and_layer_of_the_add_on(full: Deployment) -> None:
    environment = full.environment("runner")
    settings = RunnerSettings.from_env(environment)
    assert environment["REPRISE_STACK"] == "reprise"
    assert settings.ledger_table == full.outputs["LedgerTable"]
    assert settings.bucket == full.outputs["BucketName"]
    assert settings.targets == tuple(full.outputs_of("schedules")["TargetArns"].split(","))
    assert settings.mac_secret_arn == full["Schedules/SourceSecret"].ref
    assert full.function("runner").properties["Layers"] == [
        "arn:aws:lambda:eu-west-1:111122223333:layer:reprise-schedules:1"
    ]


def test_no_deployment_of_the_root_changes_what_add_ons_import() -> None:
    """CloudFormation refuses to change an export that is imported (docs/adr/0024)."""
    one = Deployment({"Targets": TARGET})
    other = Deployment(
        {"Targets": f"{TARGET},{JOB}", "LongestTargetTimeout": "1740", "ReplayConcurrency": "9"}
    )
    assert one.exports == other.exports
    assert set(one.exports) >= {
        f"reprise-{name}"
        for name in ("BucketName", "CaptureLogGroup", "LedgerTable", "ReplayerRole")
    }
    layer = {path for path, found in one.resources().items() if "Layer" in found.type}
    assert layer, "which changes with every release"
    assert not set(one.exports.values()) & {one[path].ref for path in layer}
    assert all(one.exports.values()), "CloudFormation takes no empty export"


@pytest.mark.parametrize("path", ADDON_SOURCES, ids=lambda path: path.parent.name)
def test_parameters_of_add_ons_explain_themselves_and_are_the_roots_where_they_are_called_alike(
    path: Path,
) -> None:
    template = read(path)
    roots = read(SOURCES[0])["Parameters"]
    for name, parameter in template["Parameters"].items():
        assert parameter["Description"]
        assert parameter["ConstraintDescription"].startswith("must be ")
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter)
        alike = set(roots.get(name, {})) & {"Default", "AllowedValues", "MinValue", "MaxValue"}
        if name != "Targets":
            assert {key: parameter[key] for key in alike} == {
                key: roots[name][key] for key in alike
            }
    needed = {
        name for name, parameter in template["Parameters"].items() if "Default" not in parameter
    }
    assert needed == set(ADDONS_NEED[path.parent.name])
    if "Metadata" in template:
        groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        names = [name for group in groups for name in group["Parameters"]]
        assert names == [*template["Parameters"]]


def test_timeouts_of_the_add_on_are_the_roots() -> None:
    ours = read(ADDONS["schedules"])["Mappings"]["Timeouts"]
    roots = read(SOURCES[0])["Mappings"]["Timeouts"]
    assert ours == {
        key: {name: str(value) for name, value in row.items() if name != "StuckMinutes"}
        for key, row in roots.items()
    }


@pytest.mark.parametrize("addon", ADDONS)
def test_add_on_is_deployed_by_one_command(addon: str) -> None:
    config = tomllib.loads((REPOSITORY / "samconfig.toml").read_text())[addon]
    deploy = config["deploy"]["parameters"]
    assert (
        deploy["stack_name"] == f"reprise-{addon}" == config["delete"]["parameters"]["stack_name"]
    )
    assert REPOSITORY / deploy["template_file"] == ADDONS[addon]
    assert deploy["confirm_changeset"] is False
    built = config.get("build", {}).get("parameters", {})
    assert built.get("template_file", deploy["template_file"]) == f"addons/{addon}/template.yaml"


def test_only_the_stream_of_events_writes_where_events_are_believed(full: Deployment) -> None:
    prefix = full["Batch/EventStream"].properties["ExtendedS3DestinationConfiguration"]["Prefix"]
    assert prefix.startswith(EVENTS_PREFIX)
    writers = {
        role.path
        for role in full.resources("AWS::IAM::Role").values()
        for statement in full.statements(role.arn)
        if "s3:PutObject" in statement["Action"] and EVENTS_PREFIX in json.dumps(statement)
    }
    assert writers == {"Batch/StreamRole"}


def test_only_the_rule_puts_events_on_their_stream(full: Deployment) -> None:
    stream = full["Batch/EventStream"].arn
    putters = {
        role.path
        for role in full.resources("AWS::IAM::Role").values()
        for statement in full.statements(role.arn)
        if "firehose:PutRecord" in statement["Action"] and stream in json.dumps(statement)
    }
    assert putters == {"Batch/EventRole"}
    (trust,) = full["Batch/EventRole"].properties["AssumeRolePolicyDocument"]["Statement"]
    source_arn = trust["Condition"]["ArnLike"]["aws:SourceArn"]
    assert source_arn == "arn:aws:events:eu-west-1:111122223333:rule/reprise-batch-failed-jobs"


def test_rule_leaves_children_of_arrays_out_and_names_its_queues(full: Deployment) -> None:
    pattern = full["Batch/FailedJobs"].properties["EventPattern"]
    assert pattern["detail"] == {
        "status": ["FAILED"],
        "jobQueue": ["arn:aws:batch:eu-west-1:111122223333:job-queue/spot"],
        "arrayProperties": {"index": [{"exists": False}]},
    }


def test_jobs_are_submitted_of_listed_definitions_to_listed_queues_only(full: Deployment) -> None:
    policy = full["Batch/SubmitJobs"].properties["PolicyDocument"]["Statement"]
    submit = [entry for entry in policy if entry["Action"] == "batch:SubmitJob"]
    assert [entry["Resource"] for entry in submit] == [
        ["arn:aws:batch:eu-west-1:111122223333:job-queue/spot"],
        [
            "arn:aws:batch:eu-west-1:111122223333:job-definition/nightly",
            "arn:aws:batch:eu-west-1:111122223333:job-definition/nightly:*",
        ],
    ]


def test_command_finds_what_it_needs_in_the_outputs(full: Deployment) -> None:
    assert from_outputs("reprise", full.outputs, "CREATE_COMPLETE").name == "reprise"
    outputs = full.outputs_of("schedules")
    schedules = schedules_from_outputs("reprise-schedules", outputs, "CREATE_COMPLETE")
    assert schedules.jobs_group == "reprise-schedules-jobs"
    assert schedules.warmer == "reprise-schedules-warmer"
    assert schedules.warm_window == full["Schedules/WarmWindow"].properties["Name"]
    assert schedules.target_arns == f"{TARGET},{JOB}"
