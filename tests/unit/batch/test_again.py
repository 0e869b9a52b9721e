"""What a failed job is submitted with again: more memory, another queue, or as it was."""

from __future__ import annotations

from typing import Any

import pytest

from reprise.call.outcome import Outcome
from reprise.retry.policy import Policy
from reprise_batch.again import Changes, changed, changes_of, told
from reprise_batch.failure import read_job
from reprise_batch.submit import submission_of

QUEUES = "arn:aws:batch:eu-central-1:123456789012:job-queue"
SPOT = f"{QUEUES}/spot"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
LOST = {"statusReason": "Host EC2 (instance i-0) terminated."}
UNFIT = {
    "statusReason": "Canceled by JobStateTimeLimit action due to reason: "
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
}
KILLED_POD = {"containers": [{"name": "a", "exitCode": 137, "reason": "OOMKilled"}]}
GROWS = Changes(memory_factor=2.0, memory_cap_mib=8192)


def failed(
    *, memory: str = "512", vcpus: str = "0.25", platform: str = "EC2", **more: Any
) -> dict[str, Any]:
    """Return a job that DescribeJobs tells of, which ran out of memory if nothing else is said."""
    return {
        "jobId": "j1",
        "jobName": "nightly",
        "jobQueue": SPOT,
        "jobDefinition": "arn:aws:batch:eu-central-1:123456789012:job-definition/nightly:1",
        "status": "FAILED",
        "platformCapabilities": [platform],
        "container": {
            "exitCode": 137,
            "reason": OUT_OF_MEMORY,
            "resourceRequirements": [
                {"type": "VCPU", "value": vcpus},
                {"type": "MEMORY", "value": memory},
                {"type": "GPU", "value": "1"},
            ],
        },
        **more,
    }


def again(detail: dict[str, Any], changes: Changes) -> dict[str, Any] | Outcome:
    request = submission_of(detail, attempts=1, since="then")
    return changed(request, detail, read_job(detail), changes)


def resources(detail: dict[str, Any], changes: Changes = GROWS) -> dict[str, str]:
    request = again(detail, changes)
    assert isinstance(request, dict), request
    return {
        each["type"]: each["value"]
        for each in request["containerOverrides"]["resourceRequirements"]
    }


def test_changes_are_the_policys_own_fields() -> None:
    policy = Policy(memory_factor=1.5, memory_cap_mib=4096, fallback_queue="q", fallback_after=3)
    assert changes_of(policy) == Changes(
        memory_factor=1.5, memory_cap_mib=4096, fallback_queue="q", fallback_after=3
    )
    assert changes_of(Policy()) == Changes()


def test_job_that_ran_out_of_memory_gets_more_and_keeps_the_rest() -> None:
    assert resources(failed()) == {"VCPU": "0.25", "MEMORY": "1024", "GPU": "1"}


def test_fargate_gets_the_next_pair_and_more_vcpus_where_they_are_allowed() -> None:
    full = failed(memory="2048", platform="FARGATE")
    allowed = Changes(memory_factor=2.0, memory_cap_mib=8192, memory_adds_vcpus=True)
    assert resources(full, allowed) == {"VCPU": "0.5", "MEMORY": "4096", "GPU": "1"}
    refused = again(full, GROWS)
    assert isinstance(refused, Outcome)
    assert (refused.kind.value, refused.code) == ("permanent", "NoMoreMemory")
    assert str(refused.message).endswith(
        "Set memory_adds_vcpus in the target's policy, then redrive it"
    )


def test_job_with_the_most_memory_that_is_allowed_is_not_run_again() -> None:
    refused = again(failed(memory="8192"), GROWS)
    assert isinstance(refused, Outcome)
    assert refused.message == (
        "it ran out of memory with 8192 MiB, and memory_cap_mib is 8192. Raise memory_cap_mib in the "
        "target's policy, then redrive it"
    )


@pytest.mark.parametrize(
    "container",
    [
        pytest.param({"exitCode": 137, "reason": OUT_OF_MEMORY}, id="told"),
        pytest.param({"exitCode": 137}, id="killed-without-a-reason"),
        pytest.param({"reason": OUT_OF_MEMORY}, id="no-exit-code"),
    ],
)
def test_memory_is_what_was_wanting(container: dict[str, Any]) -> None:
    requirements = [{"type": "MEMORY", "value": "512"}]
    detail = failed(container={**container, "resourceRequirements": requirements})
    assert resources(detail)["MEMORY"] == "1024"


@pytest.mark.parametrize(
    "detail",
    [
        pytest.param(failed(container={"exitCode": 1, "memory": 512}), id="another-failure"),
        pytest.param(
            failed(
                statusReason="Job attempt duration exceeded timeout",
                container={"exitCode": 137, "memory": 512},
            ),
            id="timeout",
        ),
        pytest.param(failed(container=None, eksProperties={"podProperties": KILLED_POD}), id="pod"),
        pytest.param(failed(arrayProperties={"size": 3}), id="array"),
    ],
)
def test_other_jobs_are_submitted_as_they_were(detail: dict[str, Any]) -> None:
    assert again(detail, GROWS) == submission_of(detail, attempts=1, since="then")


def test_without_a_policy_nothing_changes_but_the_count_of_hosts() -> None:
    assert again(failed(), Changes()) == submission_of(failed(), attempts=1, since="then")
    request = again(failed(**LOST), Changes())
    assert isinstance(request, dict)
    assert request["jobQueue"] == SPOT
    assert request["tags"]["reprise:hosts"] == "1"


@pytest.mark.parametrize("queue", ["on-demand", f"{QUEUES}/on-demand"])
@pytest.mark.parametrize(
    "reason",
    [
        "Host EC2 (instance i-0) terminated.",
        "Your Spot Task was interrupted.",
        "Capacity is unavailable at this time. Please try again later",
        "Canceled by JobStateTimeLimit action due to reason: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    ],
)
def test_job_goes_to_the_fallback_queue_after_so_many_hosts(queue: str, reason: str) -> None:
    changes = Changes(fallback_queue=queue, fallback_after=3)
    found = []
    for lost in ("1", "2"):
        detail = failed(statusReason=reason, tags={"reprise:hosts": lost}, isCancelled=True)
        request = again(detail, changes)
        assert isinstance(request, dict)
        found.append((request["jobQueue"], request["tags"]["reprise:hosts"]))
    assert found == [(SPOT, "2"), (queue, "3")]


def test_job_stays_in_the_fallback_queue() -> None:
    changes = Changes(fallback_queue="on-demand")
    detail = failed(**LOST, jobQueue=f"{QUEUES}/on-demand", tags={"reprise:hosts": "4"})
    request = again(detail, changes)
    assert isinstance(request, dict)
    assert request["jobQueue"] == f"{QUEUES}/on-demand"
    assert request["tags"]["reprise:hosts"] == "5"


def test_queue_that_can_never_run_it_is_left_at_once_or_the_job_given_up() -> None:
    request = again(failed(**UNFIT), Changes(fallback_queue="on-demand", fallback_after=9))
    assert isinstance(request, dict)
    assert request["jobQueue"] == "on-demand"
    for changes in (Changes(), Changes(fallback_queue="spot")):
        refused = again(failed(**UNFIT), changes)
        assert isinstance(refused, Outcome)
        assert (refused.kind.value, refused.code) == ("permanent", "QueueCannotRunIt")
        assert str(refused.message).startswith("queue spot can never run it: Canceled by JobState")


def test_count_of_hosts_goes_along_where_another_failure_comes_between() -> None:
    tags = {"reprise:hosts": "2"}
    assert (
        submission_of(failed(tags=tags), attempts=1, since="then")["tags"]["reprise:hosts"] == "2"
    )


def test_reply_tells_what_the_next_run_is_given() -> None:
    detail = failed(memory="2048", platform="FARGATE")
    before = submission_of(detail, attempts=1, since="then")
    changes = Changes(memory_factor=2.0, memory_cap_mib=8192, memory_adds_vcpus=True)
    request = again(detail, changes)
    assert isinstance(request, dict)
    assert told(request, before) == {"memoryMib": "4096", "vcpus": "0.5"}
    assert told(before, before) == {}
    assert told(before | {"jobQueue": "q"}, before) == {"jobQueue": "q"}
