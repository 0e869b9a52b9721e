"""Batch jobs on moto: submitted, and submitted again as Batch describes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from reprise.call.outcome import OutcomeKind
from reprise.call.target import Target
from reprise_batch.jobs import BatchJobs

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "eu-west-1"
DEFINITION = f"arn:aws:batch:{REGION}:123456789012:job-definition/nightly"
SINCE = "2026-11-21T09:00:00.000000Z"


class Recorded:
    """Batch with the answers that AWS's reference shows for a failed job; SubmitJob goes to moto."""

    def __init__(self, client: Any, **changes: Any) -> None:
        self._client = client
        self._changes = changes
        self.submitted: list[dict[str, Any]] = []

    def describe_jobs(self, jobs: list[str]) -> dict[str, Any]:
        found = self._client.describe_jobs(jobs=jobs)["jobs"]
        return {"jobs": [{**job, "status": "FAILED", **self._changes} for job in found]}

    def submit_job(self, **request: Any) -> Any:
        self.submitted.append(request)
        return self._client.submit_job(**request)


@pytest.fixture
def client(aws_env: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make a queue and a definition on moto, which runs no container here."""
    del aws_env
    with mock_aws(config={"batch": {"use_docker": False}}):
        batch = boto3.client("batch", region_name=REGION)
        role = boto3.client("iam", region_name=REGION).create_role(
            RoleName="batch", AssumeRolePolicyDocument="{}"
        )["Role"]["Arn"]
        environment = batch.create_compute_environment(
            computeEnvironmentName="env", type="UNMANAGED", state="ENABLED", serviceRole=role
        )["computeEnvironmentArn"]
        batch.create_job_queue(
            jobQueueName="spot", state="ENABLED", priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment}],
        )  # fmt: skip
        batch.register_job_definition(
            jobDefinitionName="nightly", type="container",
            containerProperties={"image": "busybox", "vcpus": 1, "memory": 128, "command": ["a"]},
        )  # fmt: skip
        yield batch


def submit(client: Any) -> str:
    document = {"submit": {"jobName": "n", "jobQueue": "spot", "jobDefinition": "nightly"}}
    reply = BatchJobs(client).invoke(
        Target(function=DEFINITION), json.dumps(document).encode(), None
    )
    assert reply.outcome.kind is OutcomeKind.SUCCEEDED
    return str(json.loads(reply.payload)["jobId"])


def again(job_id: str, attempts: int = 1, **more: Any) -> bytes:
    report = {"job_id": job_id, "attempts": attempts, "since": SINCE, **more}
    return json.dumps({"again": report}).encode()


def test_failed_job_is_submitted_again_with_its_chain_in_its_tags(client: Any) -> None:
    first = submit(client)
    recorded: Any = Recorded(client)
    reply = BatchJobs(recorded).invoke(Target(function=DEFINITION), again(first), None)
    assert reply.outcome.kind is OutcomeKind.SUCCEEDED, reply
    second = json.loads(reply.payload)["jobId"]
    assert second != first
    (request,) = recorded.submitted
    assert request["jobName"] == "n"
    assert request["tags"] == {
        "reprise:origin": first,
        "reprise:attempts": "2",
        "reprise:since": SINCE,
    }
    job = BatchJobs(client).status_of(second)
    assert job is not None
    assert job["jobName"] == "n"


def test_host_that_was_taken_away_is_not_counted(client: Any) -> None:
    recorded: Any = Recorded(client)
    BatchJobs(recorded).invoke(
        Target(function=DEFINITION), again(submit(client), is_counted=False), None
    )
    assert recorded.submitted[0]["tags"]["reprise:attempts"] == "1"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": "RUNNING"}, "NotThatJob"),
        ({"jobDefinition": f"{DEFINITION}-other:1"}, "NotThatJob"),
        ({"isCancelled": True}, "Cancelled"),
        ({"arrayProperties": {"index": 1}}, "Cancelled"),
    ],
)
def test_what_batch_says_counts_and_not_what_an_event_said(
    client: Any,
    changes: dict[str, Any],
    code: str,
) -> None:
    recorded: Any = Recorded(client, **changes)
    reply = BatchJobs(recorded).invoke(Target(function=DEFINITION), again(submit(client)), None)
    assert (reply.outcome.kind, reply.outcome.code) == (OutcomeKind.PERMANENT, code)
    assert recorded.submitted == []


def test_job_that_batch_does_not_know_cannot_be_submitted_again(client: Any) -> None:
    reply = BatchJobs(client).invoke(Target(function=DEFINITION), again("nobody"), None)
    assert (reply.outcome.kind, reply.outcome.code) == (OutcomeKind.PERMANENT, "JobForgotten")
    assert BatchJobs(client).status_of("nobody") is None


def test_refusals_and_nonsense_are_outcomes(client: Any) -> None:
    jobs, target = BatchJobs(client), Target(function=DEFINITION)
    lost = {"submit": {"jobName": "n", "jobQueue": "gone", "jobDefinition": "nightly"}}
    assert (
        jobs.invoke(target, json.dumps(lost).encode(), None).outcome.kind is OutcomeKind.PERMANENT
    )
    assert jobs.invoke(target, b"{}", None).outcome.code == "BadSubmission"
    assert jobs.invoke(target, b'{"again": {"x": 1}}', None).outcome.code == "BadSubmission"


OUT_OF_MEMORY = {
    "exitCode": 137,
    "reason": "OutOfMemoryError: Container killed due to memory usage",
    "resourceRequirements": [
        {"type": "VCPU", "value": "0.25"},
        {"type": "MEMORY", "value": "512"},
    ],
}


def with_policy(job_id: str, **policy: Any) -> bytes:
    return json.dumps({**json.loads(again(job_id)), "policy": policy}).encode()


def test_job_that_ran_out_of_memory_is_submitted_with_more_and_the_reply_says_so(
    client: Any,
) -> None:
    recorded: Any = Recorded(client, container=OUT_OF_MEMORY, platformCapabilities=["FARGATE"])
    payload = with_policy(submit(client), memory_factor=2.0, memory_cap_mib=4096)
    reply = BatchJobs(recorded).invoke(Target(function=DEFINITION), payload, None)
    (request,) = recorded.submitted
    assert request["containerOverrides"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "0.25"},
        {"type": "MEMORY", "value": "1024"},
    ]
    assert json.loads(reply.payload)["memoryMib"] == "1024"


def test_job_that_has_the_most_memory_is_not_submitted(client: Any) -> None:
    recorded: Any = Recorded(client, container=OUT_OF_MEMORY)
    payload = with_policy(submit(client), memory_factor=2.0, memory_cap_mib=512)
    reply = BatchJobs(recorded).invoke(Target(function=DEFINITION), payload, None)
    assert (reply.outcome.kind, reply.outcome.code) == (OutcomeKind.PERMANENT, "NoMoreMemory")
    assert recorded.submitted == []


def test_fallback_queue_that_the_role_may_not_use_is_named_with_the_next_step(client: Any) -> None:
    class Refusing(Recorded):
        def submit_job(self, **request: Any) -> Any:
            self.submitted.append(request)
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "SubmitJob"
            )

    host = "Host EC2 (instance i-0) terminated."
    for fallback, code in (("on-demand", "FallbackQueueRefused"), (None, "AccessDeniedException")):
        recorded: Any = Refusing(client, statusReason=host)
        payload = with_policy(submit(client), fallback_queue=fallback)
        outcome = BatchJobs(recorded).invoke(Target(function=DEFINITION), payload, None).outcome
        assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, code)
        assert ("on-demand: put fallback_queue among" in str(outcome.message)) is bool(fallback)


def test_report_of_a_later_version_is_read_for_what_is_known_of_it(client: Any) -> None:
    recorded: Any = Recorded(client)
    document = json.loads(again(submit(client), news=1))
    document["policy"] = {"memory_factor": 1.0, "news": 1}
    payload = json.dumps(document).encode()
    reply = BatchJobs(recorded).invoke(Target(function=DEFINITION), payload, None)
    assert reply.outcome.kind is OutcomeKind.SUCCEEDED
