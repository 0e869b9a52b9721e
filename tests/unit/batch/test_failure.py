"""Failed batch jobs on events in AWS's recorded form."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from harness import ACCOUNT, Pipeline, notification
from reprise.call.target_type import FUNCTION
from reprise.errors import BadRecordError
from reprise.ledger import State
from reprise.ports import Reply
from reprise.testing import SUCCEEDED
from reprise.unpack.consumer import Notice
from reprise_batch.event import read_event
from reprise_batch.submit import submission_of
from reprise_batch.target_type import BATCH

NIGHTLY = f"arn:aws:batch:eu-central-1:{ACCOUNT}:job-definition/nightly"


def event(**detail: Any) -> dict[str, Any]:
    """Return an event as the Batch User Guide shows it ("AWS Batch events")."""
    return {
        "version": "0",
        "id": "c8f9c4b5-76e5-d76a-f980-7011e206042b",
        "detail-type": "Batch Job State Change",
        "source": "aws.batch",
        "account": ACCOUNT,
        "time": "2026-11-21T09:59:00Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:batch:eu-central-1:{ACCOUNT}:job/4c7599ae"],
        "detail": {
            "jobArn": f"arn:aws:batch:eu-central-1:{ACCOUNT}:job/4c7599ae",
            "jobName": "nightly-1",
            "jobId": "4c7599ae",
            "jobQueue": f"arn:aws:batch:eu-central-1:{ACCOUNT}:job-queue/spot",
            "status": "FAILED",
            "statusReason": "Essential container in task exited",
            "attempts": [],
            "createdAt": 1641944200058,
            "retryStrategy": {"attempts": 2, "evaluateOnExit": []},
            "dependsOn": [],
            "jobDefinition": f"{NIGHTLY}:7",
            "parameters": {"day": "1"},
            "container": {
                "command": ["run", "--day", "1"],
                "environment": [
                    {"name": "MODE", "value": "full"},
                    {"name": "AWS_BATCH_JOB_ID", "value": "4c7599ae"},
                ],
                "resourceRequirements": [{"value": "0.25", "type": "VCPU"}],
                "exitCode": 3,
                "logStreamName": "nightly/default/4c7599ae",
            },
            "tags": {"resourceArn": f"arn:aws:batch:eu-central-1:{ACCOUNT}:job/4c7599ae"},
            "platformCapabilities": [],
            **detail,
        },
    }


def record_of(document: dict[str, Any]) -> Any:
    return read_event(json.dumps(document), ACCOUNT, (NIGHTLY,))


@pytest.mark.parametrize(
    ("detail", "kind", "code"),
    [
        pytest.param({}, "function_error", "Exit3", id="exit-code"),
        pytest.param(
            {"statusReason": "Host EC2 (instance i-0abc) terminated."},
            "transient",
            "HostTerminated",
            id="spot",
        ),
        # Of a Fargate Spot environment: nextflow-io/nextflow#5786, reproio/wrapbox#53.
        pytest.param(
            {"statusReason": "Your Spot Task was interrupted.", "container": {}},
            "transient",
            "HostTerminated",
            id="fargate-spot",
        ),
        # apache/airflow#22002, aws/amazon-ecs-agent#4825.
        pytest.param(
            {
                "statusReason": "Timeout waiting for network interface provisioning to complete.",
                "container": {},
            },
            "transient",
            "TaskNotStarted",
            id="no-network-interface",
        ),
        pytest.param(
            {
                "statusReason": "Capacity is unavailable at this time. Please try again later or in "
                "a different availability zone",
                "container": {},
            },
            "transient",
            "TaskNotStarted",
            id="no-capacity",
        ),
        # Batch User Guide, "Jobs stuck in RUNNABLE due to capacity".
        pytest.param(
            {
                "statusReason": "Canceled by JobStateTimeLimit action due to reason: "
                "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
                "isCancelled": True,
                "container": {},
            },
            "transient",
            "NoCapacity",
            id="waited-too-long",
        ),
        pytest.param(
            {
                "statusReason": "Canceled by JobStateTimeLimit action due to reason: "
                "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
                "container": {},
            },
            "transient",
            "QueueCannotRunIt",
            id="unfit-queue",
        ),
        pytest.param(
            {
                "statusReason": "Task failed to start",
                "container": {"reason": "ResourceInitializationError: unable to pull secrets"},
            },
            "function_error",
            "ResourceInitialization",
            id="no-secret",
        ),
        pytest.param(
            {
                "container": {
                    "exitCode": 137,
                    "reason": "OutOfMemoryError: Container killed due to memory usage",
                }
            },
            "function_error",
            "OutOfMemory",
            id="memory",
        ),
        pytest.param(
            {"statusReason": "Job attempt duration exceeded timeout"},
            "function_error",
            "JobTimeout",
            id="timeout",
        ),
        pytest.param(
            {"statusReason": "Dependent Job failed", "container": {}},
            "permanent",
            "DependencyFailed",
            id="dependency",
        ),
        pytest.param({"arrayProperties": {"size": 4}}, "unknown", "ArrayJobFailed", id="array"),
        pytest.param(
            {"nodeProperties": {"numNodes": 2}, "container": None},
            "function_error",
            "JobFailed",
            id="nodes",
        ),
        pytest.param(
            {
                "container": None,
                "ecsProperties": {
                    "taskProperties": [{"containers": [{"exitCode": 0}, {"exitCode": 9}]}]
                },
            },
            "function_error",
            "Exit9",
            id="ecs",
        ),
        pytest.param(
            {
                "container": None,
                "eksProperties": {
                    "podProperties": {"containers": [{"exitCode": 137, "reason": "OOMKilled"}]}
                },
            },
            "function_error",
            "OutOfMemory",
            id="eks-memory",
        ),
        pytest.param(
            {"container": {}, "statusReason": None}, "function_error", "JobFailed", id="?"
        ),
    ],
)
def test_failures_are_told_apart(detail: dict[str, Any], kind: str, code: str) -> None:
    outcome = record_of(event(**detail)).outcome
    assert (outcome.kind.value, outcome.code) == (kind, code)


def test_reason_exit_code_and_log_stream_are_kept_for_the_dead_letter() -> None:
    message = record_of(event()).outcome.message
    assert message == (
        "job 4c7599ae (nightly-1); Essential container in task exited; exit code 3; "
        "log stream nightly/default/4c7599ae"
    )


@pytest.mark.parametrize(
    "detail",
    [
        pytest.param({"arrayProperties": {"index": 3}}, id="child-of-an-array"),
        pytest.param({"jobId": "4c7599ae#1"}, id="node-of-a-multi-node-job"),
        pytest.param({"isCancelled": True}, id="cancelled"),
        pytest.param({"isTerminated": True}, id="terminated-by-hand"),
        pytest.param({"status": "SUCCEEDED"}, id="succeeded"),
    ],
)
def test_event_that_is_no_failure_of_ours_is_left_alone(detail: dict[str, Any]) -> None:
    assert record_of(event(**detail)) is None
    assert record_of({"source": "aws.ec2"}) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"account": "999999999999"}, "account_not_allowed"),
        ({"detail": {}}, "invalid_record"),
        ({"time": "yesterday"}, "invalid_record"),
        ({"detail": event(jobDefinition="arn:x:1")["detail"]}, "target_not_allowed"),
    ],
)
def test_event_that_cannot_be_believed_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRecordError) as caught:
        record_of(event() | changes)
    assert caught.value.reason == reason


def test_chain_counts_its_attempts_and_its_age_from_the_first_job() -> None:
    tags = {"reprise:attempts": "2", "reprise:since": "2026-11-21T07:00:00.000000Z"}
    record = record_of(event(tags=tags))
    assert record.captured_at == "2026-11-21T07:00:00.000000Z"
    assert json.loads(record.payload.inline)["again"]["attempts"] == 2
    forged = record_of(
        event(tags={"reprise:attempts": "-9", "reprise:since": "2099-01-01T00:00:00Z"})
    )
    assert forged.captured_at == "2026-11-21T09:59:00.000000Z"
    assert json.loads(forged.payload.inline)["again"]["attempts"] == 0


def test_job_is_submitted_as_it_was() -> None:
    detail = event(
        dependsOn=[{"jobId": "first"}], shareIdentifier="team", schedulingPriority=7,
        timeout={"attemptDurationSeconds": 600},
    )["detail"]  # fmt: skip
    assert submission_of(detail, attempts=1, since="then") == {
        "jobName": "nightly-1",
        "jobQueue": detail["jobQueue"],
        "jobDefinition": f"{NIGHTLY}:7",
        "parameters": {"day": "1"},
        "dependsOn": [{"jobId": "first"}],
        "retryStrategy": {"attempts": 2, "evaluateOnExit": []},
        "timeout": {"attemptDurationSeconds": 600},
        "shareIdentifier": "team",
        "schedulingPriorityOverride": 7,
        "containerOverrides": {
            "command": ["run", "--day", "1"],
            "environment": [{"name": "MODE", "value": "full"}],
            "resourceRequirements": [{"value": "0.25", "type": "VCPU"}],
        },
        "tags": {
            "resourceArn": detail["jobArn"],
            "reprise:origin": "4c7599ae",
            "reprise:attempts": "1",
            "reprise:since": "then",
        },
    }


def again(**detail: Any) -> dict[str, Any]:
    return submission_of(event(**detail)["detail"], attempts=1, since="then")


def test_containers_of_a_task_are_given_what_they_had() -> None:
    web = {
        "name": "web",
        "image": "busybox",
        "command": ["run"],
        "environment": [{"name": "MODE", "value": "full"}, {"name": "AWS_BATCH_X", "value": "1"}],
        "resourceRequirements": [{"type": "MEMORY", "value": "512"}],
        "exitCode": 3,
        "essential": True,
    }
    request = again(
        container=None,
        ecsProperties={"taskProperties": [{"containers": [web, {"name": "log"}], "taskArn": "t"}]},
    )
    assert "containerOverrides" not in request
    assert request["ecsPropertiesOverride"] == {
        "taskProperties": [
            {
                "containers": [
                    {
                        "name": "web",
                        "command": ["run"],
                        "environment": [{"name": "MODE", "value": "full"}],
                        "resourceRequirements": [{"type": "MEMORY", "value": "512"}],
                    },
                    {"name": "log"},
                ]
            }
        ]
    }


def test_pod_is_given_what_it_had() -> None:
    pod = {
        "hostNetwork": True,
        "podName": "p",
        "containers": [
            {
                "name": "main",
                "image": "busybox",
                "args": ["a"],
                "env": [{"name": "AWS_BATCH_JOB_ID", "value": "1"}, {"name": "A", "value": "b"}],
                "resources": {"limits": {"memory": "1Gi"}},
                "exitCode": 1,
            }
        ],
        "initContainers": [{"name": "first", "command": ["wait"]}],
        "metadata": {"labels": {"team": "x"}, "namespace": "jobs"},
    }
    request = again(container=None, eksProperties={"podProperties": pod})
    assert request["eksPropertiesOverride"] == {
        "podProperties": {
            "containers": [
                {
                    "name": "main",
                    "image": "busybox",
                    "args": ["a"],
                    "env": [{"name": "A", "value": "b"}],
                    "resources": {"limits": {"memory": "1Gi"}},
                }
            ],
            "initContainers": [{"name": "first", "command": ["wait"]}],
            "metadata": {"labels": {"team": "x"}, "namespace": "jobs"},
        }
    }


@pytest.mark.parametrize(("target_nodes", "count"), [("0:", 4), ("0:3", None)])
def test_nodes_are_given_what_they_had(target_nodes: str, count: int | None) -> None:
    """Batch takes another number of nodes only where a range is open."""
    node = {"command": ["run"], "instanceType": "c7g.large", "memory": 2048}
    ranges = [
        {"targetNodes": target_nodes, "container": node, "instanceTypes": ["optimal"]},
        {"targetNodes": "1:1", "ecsProperties": {"taskProperties": [{"containers": []}]}},
    ]
    request = again(
        container=None, nodeProperties={"numNodes": 4, "mainNode": 0, "nodeRangeProperties": ranges}
    )
    assert request["nodeOverrides"].get("numNodes") == count
    assert request["nodeOverrides"]["nodePropertyOverrides"] == [
        {
            "targetNodes": target_nodes,
            "instanceTypes": ["optimal"],
            "containerOverrides": {
                "command": ["run"],
                "instanceType": "c7g.large",
                "resourceRequirements": [{"type": "MEMORY", "value": "2048"}],
            },
        },
        {"targetNodes": "1:1", "ecsPropertiesOverride": {"taskProperties": [{"containers": []}]}},
    ]


def test_array_keeps_its_size_and_what_it_waited_for() -> None:
    request = again(
        arrayProperties={"size": 5, "statusSummary": {"FAILED": 1}},
        dependsOn=[{"jobId": "first", "type": "N_TO_N"}],
        consumableResourceProperties={
            "consumableResourceList": [{"consumableResource": "licence", "quantity": 1}]
        },
    )
    assert request["arrayProperties"] == {"size": 5}
    assert request["dependsOn"] == [{"jobId": "first", "type": "N_TO_N"}]
    assert request["consumableResourcePropertiesOverride"] == {
        "consumableResourceList": [{"consumableResource": "licence", "quantity": 1}]
    }


def test_no_and_zero_are_kept_as_they_were_said() -> None:
    """A definition may say that tags are propagated, and the job that they are not."""
    request = again(propagateTags=False, shareIdentifier="team", schedulingPriority=0)
    assert request["propagateTags"] is False
    assert request["schedulingPriorityOverride"] == 0
    assert "propagateTags" not in again(propagateTags=None)


def test_memory_of_an_old_definition_is_kept() -> None:
    container = {"vcpus": 2, "memory": 128, "resourceRequirements": [{"type": "GPU", "value": "1"}]}
    assert again(container=container)["containerOverrides"]["resourceRequirements"] == [
        {"type": "GPU", "value": "1"},
        {"type": "VCPU", "value": "2"},
        {"type": "MEMORY", "value": "128"},
    ]


def test_tags_of_aws_itself_are_not_sent_back() -> None:
    tags = {"team": "x", "aws:cloudformation:stack-name": "s", "AWS:x": "y", "awsome": "z"}
    assert set(again(tags=tags)["tags"]) == {
        "team", "awsome", "reprise:origin", "reprise:attempts", "reprise:since",
    }  # fmt: skip


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"propagateTags": False, "schedulingPriority": 1, "shareIdentifier": "a"},
        {"ecsProperties": {"taskProperties": [{"containers": [{"name": "a", "command": ["b"]}]}]}},
        {"eksProperties": {"podProperties": {"containers": [{"name": "a", "image": "b"}]}}},
        {
            "nodeProperties": {
                "numNodes": 2,
                "nodeRangeProperties": [{"targetNodes": "0:", "container": {"memory": 4}}],
            }
        },
        {"consumableResourceProperties": {"consumableResourceList": []}},
    ],
)
def test_every_submission_is_of_the_shape_that_submit_job_takes(detail: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model("batch")
    shape = model.operation_model("SubmitJob").input_shape
    assert shape is not None
    report = ParamValidator().validate(again(**detail), shape)
    assert not report.has_errors(), report.generate_report()


# --- through the pipeline ----------------------------------------------------------------------


def pipeline(policy: str = "{}") -> Pipeline:
    made = Pipeline(policy=policy)
    made.targets = (*made.targets, NIGHTLY)
    made.types = (FUNCTION, BATCH)
    return made


def take_in(made: Pipeline, document: dict[str, Any], key: str) -> list[Any]:
    made.objects.kept[key] = json.dumps(document).encode()
    stage = made.unpacker()
    intake = replace(made.intake(), unpacker=stage)
    notice = Notice(message_id="n", receipt_handle="r", body=notification(key), receive_count=1)
    assert intake.run([notice], lambda: 300_000) == []
    return made.take_sent()


def test_failed_job_waits_its_backoff_and_is_submitted_again_once() -> None:
    made = pipeline()
    (message,) = take_in(made, event(), "batch-events/2026/x")
    assert made.replay(message) == ["m0"]
    assert made.functions.invoked == []
    row = made.ledger.rows["batch:4c7599ae"]
    assert (row.state, row.attempts) == (State.WAITING, 1)
    assert made.replay_queue.waits_s == {"r0": 30.0}
    made.clock.advance(30)
    made.functions.script = [Reply(outcome=SUCCEEDED.outcome, payload=b'{"jobId":"j2"}')]
    assert made.replay(message) == []
    row = made.ledger.rows["batch:4c7599ae"]
    assert (row.state, row.result) == (State.SUCCEEDED, '{"jobId":"j2"}')
    assert made.replay(message) == []
    assert len(made.functions.invoked) == 1


def test_chain_ends_in_the_dead_letter_queue_with_its_reason_after_its_attempts() -> None:
    made = pipeline()
    (message,) = take_in(made, event(tags={"reprise:attempts": "2"}), "batch-events/x")
    assert made.replay(message) == []
    (letter,) = made.dead_letters.sent
    document = json.loads(letter.body)["reprise"]
    assert (document["reason"], document["attempts"]) == ("exhausted", 3)
    assert "exit code 3; log stream nightly/default/4c7599ae" in document["message"]


def test_host_that_was_taken_away_costs_no_attempt() -> None:
    made = pipeline()
    spot = event(statusReason="Host EC2 (instance i-0) terminated.", tags={"reprise:attempts": "2"})
    (message,) = take_in(made, spot, "batch-events/x")
    assert made.replay(message) == ["m0"]
    assert made.ledger.rows["batch:4c7599ae"].attempts == 2


def test_array_is_submitted_again_only_where_a_second_run_is_harmless() -> None:
    array = event(arrayProperties={"size": 2})
    careful, idempotent = pipeline(), pipeline('{"default": {"idempotent": true}}')
    for made in (careful, idempotent):
        (message,) = take_in(made, array, "batch-events/x")
        made.replay(message)
    assert careful.ledger.rows["batch:4c7599ae"].reason == "unknown"
    assert idempotent.ledger.rows["batch:4c7599ae"].state is State.WAITING


def test_event_in_a_capture_object_submits_nothing() -> None:
    """Anybody who may write a log line could otherwise submit jobs."""
    made = pipeline()
    assert take_in(made, event(), "captured/2026/x") == []
    assert made.ledger.rows == {}


def test_unbelievable_event_is_quarantined() -> None:
    made = pipeline()
    assert take_in(made, event() | {"account": "1"}, "batch-events/x") == []
    assert any(key.startswith("quarantine/") for key in made.objects.kept)


def test_policy_of_the_moment_of_the_next_run_goes_along_with_a_failed_job() -> None:
    made = pipeline(
        '{"targets": {"job-definition/nightly": {"memory_factor": 2, "memory_cap_mib": 4096}}}'
    )
    (message,) = take_in(made, event(), "batch-events/x")
    made.replay(message)
    made.clock.advance(60)
    made.functions.script = [Reply(outcome=SUCCEEDED.outcome, payload=b'{"jobId":"j2"}')]
    assert made.replay(message) == []
    ((_, payload, _),) = made.functions.invoked
    document = json.loads(payload)
    assert document["again"]["job_id"] == "4c7599ae"
    policy = document["policy"]
    assert (policy["memory_factor"], policy["memory_cap_mib"]) == (2.0, 4096)


def test_job_that_is_given_up_is_booked_once_though_its_letter_is_sent_late() -> None:
    made = pipeline('{"default": {"maximum_attempts": 1}}')
    (message,) = take_in(made, event(), "batch-events/x")
    made.dead_letters.faults.fail("send")
    for _ in range(3):
        made.replay(message)
        made.clock.advance(60)
    assert len(made.dead_letters.sent) == 1
    (job,) = made.failed.jobs
    assert (job.job, job.id, job.attempts) == ("nightly-1", "batch:4c7599ae", 1)
    assert job.reason == "Essential container in task exited; exit code 3"


def test_letter_waits_for_a_book_that_is_away() -> None:
    made = pipeline('{"default": {"maximum_attempts": 1}}')
    (message,) = take_in(made, event(), "batch-events/x")
    made.failed.faults.fail("add")
    assert made.replay(message) == ["m0"]
    assert made.dead_letters.sent == []
    made.clock.advance(60)
    assert made.replay(message) == []
    assert len(made.failed.jobs) == len(made.dead_letters.sent) == 1
