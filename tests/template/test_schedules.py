"""Warm windows, jobs, and failed batch jobs: who may do what, and what is tried again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reprise_batch.event import EVENTS_PREFIX
from reprise_cli.schedule.cron import Cron
from reprise_cli.schedule.expression import find_zone, parse_expression
from reprise_cli.stack import from_outputs
from reprise_schedules.warm import read_order
from template.conftest import TARGET
from template.deployment import Deployment
from template.templates import SOURCES, read

if TYPE_CHECKING:
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
        full.outputs["JobsQueueArn"],
        full.outputs["JobsDeadLetterQueueArn"],
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


def test_defaults_of_the_warm_window_mean_something() -> None:
    parameters = read(SOURCES[0])["Parameters"]
    zone = find_zone(parameters["WarmTimezone"]["Default"])
    assert zone.key == "UTC"
    expression = parse_expression(parameters["WarmSchedule"]["Default"])
    assert isinstance(expression, Cron)
    assert expression.hours == (6, 7, 8, 9, 11, 12, 13, 16, 17, 18, 19, 20, 21)


def test_nothing_is_warmed_and_no_batch_job_submitted_unless_asked(plain: Deployment) -> None:
    paths = {path for path in plain.resources() if "Warm" in path or path.startswith("Batch/")}
    assert paths == set()


def test_local_engine_is_spared_the_batch_path() -> None:
    batch = "arn:aws:batch:eu-west-1:111122223333"
    local = Deployment(
        {
            "Targets": TARGET,
            "OnAws": "false",
            "BatchJobDefinitions": f"{batch}:job-definition/nightly",
            "BatchJobQueues": f"{batch}:job-queue/spot",
        }
    )
    assert not [path for path in local.resources() if path.startswith("Batch/")]


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
    assert source_arn == "arn:aws:events:eu-west-1:111122223333:rule/reprise-failed-jobs"


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
    stack = from_outputs("reprise", full.outputs, "CREATE_COMPLETE")
    assert stack.jobs_group == "reprise-jobs"
    assert stack.warmer == "reprise-warmer"
    assert stack.batch_job_definitions == (
        "arn:aws:batch:eu-west-1:111122223333:job-definition/nightly",
    )
