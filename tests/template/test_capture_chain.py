"""From the log group to the capture queue: what arrives, and what must never."""

from __future__ import annotations

import json
import re

import pytest

from template.conftest import TARGET
from template.deployment import Deployment
from template.templates import SOURCES, read

FILTER_PATTERN = '{ $.event = "invocation.captured" }'


def subscribed_groups(deployment: Deployment) -> list[str]:
    filters = deployment.resources("AWS::Logs::SubscriptionFilter").values()
    return [subscription.properties["LogGroupName"] for subscription in filters]


def test_only_the_capture_group_is_subscribed_by_default(plain: Deployment) -> None:
    assert subscribed_groups(plain) == [plain.outputs["CaptureLogGroup"]]


def test_no_log_group_of_the_pipeline_itself_is_subscribed(full: Deployment) -> None:
    own = {group.ref for group in full.resources("AWS::Logs::LogGroup").values()}
    # The default group of a function that does not write to its own would be a way round.
    own |= {
        f"/aws/lambda/{function.ref}"
        for function in full.resources("AWS::Lambda::Function").values()
    }
    assert own & set(subscribed_groups(full)) == {full.outputs["CaptureLogGroup"]}


def test_every_log_group_of_the_pipeline_is_where_extra_groups_may_not_be(full: Deployment) -> None:
    pattern = read(SOURCES[0])["Parameters"]["ExtraLogGroups"]["AllowedPattern"]
    own = [group.ref for group in full.resources("AWS::Logs::LogGroup").values()]
    assert len(own) == 10
    assert not [name for name in own if re.fullmatch(pattern, name)]


@pytest.mark.parametrize("count", range(1, 6))
def test_each_extra_log_group_is_subscribed_and_accepted(count: int) -> None:
    extra = [f"/aws/lambda/caller-{number}" for number in range(count)]
    deployment = Deployment({"Targets": TARGET, "ExtraLogGroups": ",".join(extra)})
    groups = [deployment.outputs["CaptureLogGroup"], *extra]
    assert subscribed_groups(deployment) == groups
    assert deployment.environment("unpacker")["REPRISE_LOG_GROUPS"].split(",") == groups


def test_subscriptions_pass_capture_lines_to_the_stream(full: Deployment) -> None:
    subscriptions = full.resources("AWS::Logs::SubscriptionFilter").values()
    assert {s.properties["FilterPattern"] for s in subscriptions} == {FILTER_PATTERN}
    stream = full["Capture/CaptureStream"]
    assert {s.properties["DestinationArn"] for s in subscriptions} == {stream.arn}


def test_invoker_and_runner_write_to_the_capture_group_and_no_other_function_does(
    full: Deployment,
) -> None:
    writers = {
        function.ref
        for function in full.resources("AWS::Lambda::Function").values()
        if function.properties["LoggingConfig"]["LogGroup"] == full.outputs["CaptureLogGroup"]
    }
    assert writers == {"reprise-invoker", "reprise-schedules-runner"}


def test_invoker_drops_no_line_on_stdout(plain: Deployment) -> None:
    # Lambda takes a JSON line without a timestamp for INFO, whatever its own level says.
    logging = plain.function("invoker").properties["LoggingConfig"]
    assert (logging["LogFormat"], logging["ApplicationLogLevel"]) == ("JSON", "INFO")


def test_capture_group_is_of_the_class_that_can_be_subscribed(plain: Deployment) -> None:
    assert plain["Capture/CaptureLogGroup"].properties["LogGroupClass"] == "STANDARD"


def test_stream_stores_what_the_logs_compressed_and_changes_nothing(plain: Deployment) -> None:
    destination = plain["Capture/CaptureStream"].properties["ExtendedS3DestinationConfiguration"]
    assert destination["CompressionFormat"] == "UNCOMPRESSED"
    assert "ProcessingConfiguration" not in destination
    assert "DynamicPartitioningConfiguration" not in destination
    assert destination["CloudWatchLoggingOptions"]["Enabled"] is True


def test_bucket_notifies_of_captured_objects_and_not_of_failed_deliveries(
    plain: Deployment,
) -> None:
    destination = plain["Capture/CaptureStream"].properties["ExtendedS3DestinationConfiguration"]
    notification = plain["Capture/Bucket"].properties["NotificationConfiguration"]
    rules = [
        rule
        for queue in notification["QueueConfigurations"]
        for rule in queue["Filter"]["S3Key"]["Rules"]
    ]
    assert rules == [
        {"Name": "prefix", "Value": "captured/"},
        {"Name": "prefix", "Value": "batch-events/"},
    ]
    rule = rules[0]
    assert destination["Prefix"].startswith(rule["Value"])
    assert not destination["ErrorOutputPrefix"].startswith(rule["Value"])
    assert "!{firehose:error-output-type}" in destination["ErrorOutputPrefix"]


def test_bucket_notifies_of_multipart_uploads_too(plain: Deployment) -> None:
    notification = plain["Capture/Bucket"].properties["NotificationConfiguration"]
    assert [q["Event"] for q in notification["QueueConfigurations"]] == ["s3:ObjectCreated:*"] * 2


def test_bucket_waits_for_the_policy_that_lets_it_send(plain: Deployment) -> None:
    assert plain["Capture/Bucket"].declaration["DependsOn"] in (
        "CaptureQueuePolicy",
        ["CaptureQueuePolicy"],
    )


def test_only_the_stream_and_who_is_fed_by_no_queue_writes_below_the_notified_prefix(
    full: Deployment,
) -> None:
    """Whoever was told of an object and wrote another one there would be told without end."""
    writers = {
        role.path
        for role in full.resources("AWS::IAM::Role").values()
        for statement in full.statements(role.arn)
        if "s3:PutObject" in statement["Action"] and "captured/" in json.dumps(statement)
    }
    assert writers == {"Capture/StreamRole", "Reconcile/ReconcilerRole"}
    fed = {
        source.properties["FunctionName"]
        for source in full.resources("AWS::Lambda::EventSourceMapping").values()
    }
    assert full.function("reconciler").ref not in fed


def test_invoker_shares_the_accounts_concurrency_unless_it_is_given_its_own(
    plain: Deployment, full: Deployment
) -> None:
    reserved = [
        deployment["Invoker/InvokerFunction"].properties.get("ReservedConcurrentExecutions")
        for deployment in (plain, full)
    ]
    assert reserved == [None, "50"]


def test_refusal_of_the_invoker_itself_is_alarmed_on_at_once(plain: Deployment) -> None:
    alarm = plain["Alarms/InvokerThrottledAlarm"].properties
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Throttles")
    assert alarm["Dimensions"] == [
        {"Name": "FunctionName", "Value": plain["Invoker/InvokerFunction"].ref}
    ]
    # One call that is refused there is kept nowhere.
    assert (alarm["Threshold"], alarm["EvaluationPeriods"], alarm["Period"]) == (0, 1, 60)
