"""From the capture queue to the dead-letter queue: times, limits and environments."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reprise.gate.lease import LONGEST_LEASE_MS
from reprise.replay.message import RENEW_AGE_MS, RENEW_RECEIVES
from reprise.retry.policy import read_policy_document
from reprise.settings import (
    CallerSettings,
    MonitorSettings,
    ReplayerSettings,
    UnpackerSettings,
    callers_parameter,
    with_secret,
    with_what_the_stack_says,
)
from reprise_letters.settings import LetterJobSettings
from reprise_letters.supervisor import HEARTBEAT_EVERY_S, HEARTBEAT_S, HIDDEN_S, MARGIN_S
from template.conftest import ADDONS, TARGET
from template.deployment import Deployment, Resource

COMMON = {
    "REPRISE_STACK",
    "REPRISE_BUCKET",
    "REPRISE_TARGETS",
    "REPRISE_LEDGER_TABLE",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_METRICS_NAMESPACE",
}
ENVIRONMENTS = {
    "invoker": COMMON
    | {
        "REPRISE_MAC_SECRET_ARN",
        "REPRISE_CALL_TIMEOUT_S",
        "REPRISE_CAPTURE_LOG_GROUP",
        "REPRISE_CAPTURE_OUTCOMES",
        "REPRISE_STATUS_URL",
        "REPRISE_FRONT_DOORS",
        "REPRISE_POLICY_PARAMETER",
    },
    "runner": COMMON
    | {
        "REPRISE_MAC_SECRET_ARN",
        "REPRISE_CALL_TIMEOUT_S",
        "REPRISE_JOBS_QUEUE_URL",
        "REPRISE_JOBS_DEAD_LETTER_QUEUE_URL",
    },
    "warmer": {"REPRISE_STACK", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"},
    "unpacker": COMMON
    | {
        "REPRISE_REPLAY_QUEUE_URL",
        "REPRISE_CAPTURE_QUEUE_URL",
        "REPRISE_CAPTURE_DLQ_URL",
        "REPRISE_DEAD_LETTER_QUEUE_URL",
        "REPRISE_LOG_GROUPS",
        "REPRISE_ACCOUNT_ID",
        "REPRISE_RETENTION_DAYS",
        "REPRISE_EVENT_BUS",
    },
    "replayer": COMMON
    | {
        "REPRISE_POLICY_PARAMETER",
        "REPRISE_REPLAY_QUEUE_URL",
        "REPRISE_DEAD_LETTER_QUEUE_URL",
        "REPRISE_CALL_TIMEOUT_S",
        "REPRISE_RETENTION_DAYS",
        "REPRISE_EVENT_BUS",
        "REPRISE_SUCCESS_EVENTS",
    },
    "observer": COMMON
    | {
        "REPRISE_CAPTURE_QUEUE_URL",
        "REPRISE_REPLAY_QUEUE_URL",
        "REPRISE_DEAD_LETTER_QUEUE_URL",
        "REPRISE_LOG_GROUPS",
        "REPRISE_ALARMS",
        "REPRISE_POLICY_PARAMETER",
        "REPRISE_DASHBOARD_URL",
        "REPRISE_RUNBOOK_URL",
        "REPRISE_READ_BACK",
    },
    "reconciler": {
        "REPRISE_BUCKET",
        "REPRISE_LEDGER_TABLE",
        "REPRISE_LOG_GROUPS",
        "REPRISE_ACCOUNT_ID",
        "REPRISE_DUE_S",
        "POWERTOOLS_SERVICE_NAME",
    },
    "letter-jobs": (COMMON - {"REPRISE_TARGETS"})
    | {
        "REPRISE_REPLAY_QUEUE_URL",
        "REPRISE_CAPTURE_QUEUE_URL",
        "REPRISE_DEAD_LETTER_QUEUE_URL",
        "REPRISE_CAPTURE_DLQ_URL",
        "REPRISE_LETTER_JOBS_QUEUE_URL",
        "REPRISE_LETTER_JOBS_DLQ_URL",
    },
    "chaos-target": {"REPRISE_RECEIPTS_TABLE"},
}


GIVING_UP = ("unpacker", "replayer")
"""Functions that send dead letters."""


def queue_of(deployment: Deployment, arn: str) -> Resource:
    [found] = [q for q in deployment.resources("AWS::SQS::Queue").values() if q.arn == arn]
    return found


def source_of(deployment: Deployment, function: str) -> dict[str, Any]:
    [found] = [
        mapping.properties
        for mapping in deployment.resources("AWS::Lambda::EventSourceMapping").values()
        if mapping.properties["FunctionName"] == deployment.function(function).ref
    ]
    return dict(found)


def lasting(longest_target_s: int) -> Deployment:
    """Deploy root and schedules for targets that may run so long."""
    longest = {"LongestTargetTimeout": str(longest_target_s)}
    return Deployment(
        {"Targets": TARGET, **longest}, addons={"schedules": ADDONS["schedules"] | longest}
    )


@pytest.mark.parametrize(("name", "expected"), ENVIRONMENTS.items(), ids=ENVIRONMENTS)
def test_function_gets_its_settings_and_no_more(
    full: Deployment, name: str, expected: set[str]
) -> None:
    assert set(full.environment(name)) == expected


def test_settings_are_what_the_package_reads(full: Deployment) -> None:
    caller = CallerSettings.from_env(full.environment("invoker"))
    unpacker = UnpackerSettings.from_env(full.environment("unpacker"))
    replayer = ReplayerSettings.from_env(full.environment("replayer"))
    observer = MonitorSettings.from_env(full.environment("observer"))
    assert caller.targets == unpacker.targets == replayer.targets == observer.targets
    assert set(observer.log_groups) == unpacker.log_groups
    assert len(observer.alarms) <= 100, "DescribeAlarms takes no more names"
    assert TARGET in caller.targets
    assert caller.status_url == "reprise://reprise/calls/{id}"
    assert caller.ledger_table == replayer.ledger_table == "reprise-ledger"
    assert caller.policy_parameter == replayer.policy_parameter
    # Where the keys of all sources are.
    assert unpacker.stack == replayer.stack == "reprise"


def test_what_the_stack_says_to_callers_is_what_its_invoker_is_told(full: Deployment) -> None:
    parameter = full["Callers/Callers"].properties
    env = {"REPRISE_STACK": "reprise", "REPRISE_SOURCE": "web"}
    assert parameter["Name"] == callers_parameter(env)
    told = full.environment("invoker")
    said = CallerSettings.from_env(with_secret(with_what_the_stack_says(env, parameter["Value"])))
    assert said == replace(
        CallerSettings.from_env(told),
        mac_secret_arn="reprise/source/web",
        capture_log_group="/reprise/reprise/capture",
        capture_outcomes=said.capture_outcomes,
    )
    assert set(json.loads(parameter["Value"])) == {
        "bucket",
        "capture_log_group",
        "ledger_table",
        "targets",
        "policy_parameter",
        "call_timeout_s",
    }


def test_what_the_stack_says_fits_the_parameter_however_many_targets_there_are() -> None:
    """Systems Manager API reference, PutParameter: a standard parameter holds 4 KB."""
    most = ",".join(f"arn:aws:lambda:eu-west-1:111122223333:function:{i:03}" for i in range(35))
    assert len(most) <= 1800
    said = Deployment({"Targets": most})["Callers/Callers"].properties["Value"]
    assert len(json.loads(said)["targets"]) == 35
    assert len(said.encode()) <= 4096


@pytest.mark.parametrize("longest_target_s", [30, 60, 300, 840, 1740])
@pytest.mark.parametrize("function", ["unpacker", "replayer", "runner", "letter-jobs"])
def test_queue_hides_a_message_for_longer_than_its_function_runs(
    longest_target_s: int, function: str
) -> None:
    deployment = lasting(longest_target_s)
    queue = queue_of(deployment, source_of(deployment, function)["EventSourceArn"])
    timeout_s = int(deployment.function(function).properties["Timeout"])
    assert int(queue.properties["VisibilityTimeout"]) > timeout_s
    assert timeout_s <= LONGEST_LEASE_MS / 1000 == 1800


@pytest.mark.parametrize("longest_target_s", [30, 60, 300, 840, 1740])
@pytest.mark.parametrize("function", ["invoker", "replayer", "runner"])
def test_call_outlives_its_target_and_its_function_outlives_the_call(
    longest_target_s: int, function: str
) -> None:
    deployment = lasting(longest_target_s)
    call_s = int(deployment.environment(function)["REPRISE_CALL_TIMEOUT_S"])
    timeout_s = int(deployment.function(function).properties["Timeout"])
    assert longest_target_s < call_s
    assert call_s + 25 <= timeout_s


@pytest.mark.parametrize("function", ["unpacker", "replayer", "runner", "letter-jobs"])
def test_function_answers_for_single_messages_with_bounded_concurrency(
    beside: Deployment, function: str
) -> None:
    source = source_of(beside, function)
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # A run holds its function for as long as its target runs, and a job for as long as it may.
    assert source["BatchSize"] == (1 if function in {"runner", "letter-jobs"} else 10)
    assert 2 <= int(source["ScalingConfig"]["MaximumConcurrency"]) <= 1000


def test_functions_fed_by_queues_allow_long_chains(beside: Deployment) -> None:
    allowed = {
        function.ref
        for function in beside.resources("AWS::Lambda::Function").values()
        if function.properties.get("RecursiveLoop") == "Allow"
    }
    assert allowed == {
        "reprise-unpacker",
        "reprise-replayer",
        "reprise-schedules-runner",
        "reprise-replies-replier",
        "reprise-letter-jobs",
    }


def test_a_job_at_the_dead_letter_queues_is_followed_soon_if_it_is_killed_and_alarms_only_if_it_stands_still(
    plain: Deployment,
) -> None:
    settings = LetterJobSettings.from_env(plain.environment("letter-jobs"))
    queue = queue_of(plain, source_of(plain, "letter-jobs")["EventSourceArn"])
    assert settings.letter_jobs_queue_url == queue.ref == plain.outputs["LetterJobsQueueUrl"]
    dead = queue_of(plain, queue.properties["RedrivePolicy"]["deadLetterTargetArn"])
    assert settings.letter_jobs_dlq_url == dead.ref
    timeout_s = int(plain.function("letter-jobs").properties["Timeout"])
    assert HEARTBEAT_EVERY_S < HEARTBEAT_S < HIDDEN_S < timeout_s - MARGIN_S
    # Longer than one run, so that a job that goes on from run to run alarms nobody.
    [alarm] = [
        alarm.properties
        for alarm in plain.resources("AWS::CloudWatch::Alarm").values()
        if alarm.properties["AlarmName"] == "reprise-letter-jobs-stuck"
    ]
    assert int(alarm["Threshold"]) >= 2 * timeout_s
    assert source_of(plain, "letter-jobs")["ScalingConfig"] == {"MaximumConcurrency": 2}


def test_each_function_is_fed_by_a_queue_that_it_was_told_to_send_to(plain: Deployment) -> None:
    capture = queue_of(plain, source_of(plain, "unpacker")["EventSourceArn"])
    replay = queue_of(plain, source_of(plain, "replayer")["EventSourceArn"])
    assert plain.environment("unpacker")["REPRISE_CAPTURE_QUEUE_URL"] == capture.ref
    assert plain.environment("unpacker")["REPRISE_REPLAY_QUEUE_URL"] == replay.ref
    assert plain.environment("replayer")["REPRISE_REPLAY_QUEUE_URL"] == replay.ref
    letters = {plain.environment(name)["REPRISE_DEAD_LETTER_QUEUE_URL"] for name in GIVING_UP}
    assert letters == {
        queue_of(plain, replay.properties["RedrivePolicy"]["deadLetterTargetArn"]).ref
    }


def test_dead_letters_are_kept_longer_than_their_source_keeps_messages(beside: Deployment) -> None:
    redrives = 0
    for queue in beside.resources("AWS::SQS::Queue").values():
        redrive = queue.properties.get("RedrivePolicy")
        if redrive:
            dead = queue_of(beside, redrive["deadLetterTargetArn"])
            days = dead.properties["MessageRetentionPeriod"] / 86_400
            assert days - queue.properties["MessageRetentionPeriod"] / 86_400 >= 3
            redrives += 1
    assert redrives == 5


def test_a_call_that_its_policy_gives_up_outlives_no_object_that_its_letter_names() -> None:
    """Fourteen days by the longest policy, whatever SQS keeps, then fourteen in the dead-letter queue."""
    deployment = Deployment({"Targets": TARGET, "RetentionDays": "30"})
    oldest = read_policy_document('{"default": {"max_age_s": 1209600}}').for_target("any")
    letters = deployment["Replay/DeadLetterQueue"].properties["MessageRetentionPeriod"]
    rules = deployment["Capture/Bucket"].properties["LifecycleConfiguration"]["Rules"]
    assert all(
        int(rule["ExpirationInDays"]) * 86_400 > oldest.max_age_s + letters
        for rule in rules
        if "ExpirationInDays" in rule
    )


def test_messages_are_sent_afresh_long_before_the_replay_queue_ends_them(
    plain: Deployment,
) -> None:
    queue = plain["Replay/ReplayQueue"].properties
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 2 * RENEW_RECEIVES
    longest_wait_ms = 43_200_000
    assert queue["MessageRetentionPeriod"] * 1000 >= RENEW_AGE_MS + 2 * longest_wait_ms


def test_policy_document_is_one_that_the_package_reads(plain: Deployment, full: Deployment) -> None:
    default = read_policy_document(plain["Secrets/Policy"].properties["Value"])
    chaos = read_policy_document(full["Secrets/Policy"].properties["Value"])
    assert default.for_target("reprise-chaos-target").maximum_attempts == 3
    assert chaos.for_target("reprise-chaos-target").initial_interval_s == 1
    assert chaos.for_target("orders") == default.for_target("orders")


def test_alarms_watch_all_dead_letter_queues_and_the_delivery(beside: Deployment) -> None:
    watched = {
        (alarm.properties["MetricName"], dimension["Value"])
        for alarm in beside.resources("AWS::CloudWatch::Alarm").values()
        for dimension in alarm.properties.get("Dimensions", [])
    }
    queues = {
        queue.properties["QueueName"]
        for queue in beside.resources("AWS::SQS::Queue").values()
        if "RedrivePolicy" not in queue.properties
    }
    assert {("ApproximateNumberOfMessagesVisible", name) for name in queues} <= watched
    for metric in ("DeliveryErrors", "DeliveryThrottling"):
        assert {value for name, value in watched if name == metric} == {
            beside.outputs["CaptureLogGroup"],
            "Firehose",
            beside["Capture/CaptureSubscription"].properties["FilterName"],
        }
    assert ("DeliveryToS3.DataFreshness", beside.outputs["CaptureStream"]) in watched


def test_alarms_notify_the_topic_when_there_is_one(plain: Deployment, full: Deployment) -> None:
    topic = "arn:aws:sns:eu-west-1:111122223333:alarms"
    for alarm in full.resources("AWS::CloudWatch::Alarm").values():
        assert topic in actions_of(alarm)
    for alarm in plain.resources("AWS::CloudWatch::Alarm").values():
        # The observer cannot tell of itself.
        own = [plain.outputs["IncidentTopicArn"]] if "observer" in alarm.ref else []
        assert actions_of(alarm) == own


def actions_of(alarm: Resource) -> list[str]:
    """Return whom an alarm tells that it is one; silence shows as insufficient data."""
    kinds = ("AlarmActions", "InsufficientDataActions")
    return [action for kind in kinds for action in alarm.properties.get(kind, [])]
