"""Canary of ``batch_jobs``: jobs that wait are found, in one queue, by status or one filter, and ended."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from local_engine.testing import Aws


@dataclass
class Queue:
    batch: Any
    name: str
    definition: str

    def submit(self, name: str = "nightly", **fields: Any) -> str:
        request = {"jobQueue": self.name, "jobDefinition": self.definition, **fields}
        return str(self.batch.submit_job(jobName=name, **request)["jobId"])

    def listed(self, **request: Any) -> list[str]:
        found = self.batch.list_jobs(jobQueue=self.name, **request)["jobSummaryList"]
        return [job["jobId"] for job in found]

    def filtered(self, name: str, value: str) -> list[str]:
        return self.listed(filters=[{"name": name, "values": [value]}])

    def of(self, job_id: str) -> dict[str, Any]:
        (job,) = self.batch.describe_jobs(jobs=[job_id])["jobs"]
        return dict(job)


def make_queue(aws: Aws, kind: str = "UNMANAGED") -> Queue:
    batch, name = aws.client("batch"), f"q-{uuid.uuid4().hex[:8]}"
    managed = {
        "computeResources": {
            "type": "FARGATE",
            "maxvCpus": 1,
            "subnets": [],
            "securityGroupIds": [],
        }
    }
    batch.create_compute_environment(
        computeEnvironmentName=name, type=kind, **(managed if kind == "MANAGED" else {})
    )
    batch.create_job_queue(
        jobQueueName=name,
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": name}],
    )
    for _ in range(2):
        batch.register_job_definition(jobDefinitionName=f"d-{name}", type="container")
    return Queue(batch, name, f"d-{name}")


def test_job_that_no_host_takes_waits_until_it_is_ended(aws: Aws) -> None:
    queue = make_queue(aws)
    job_id = queue.submit()
    job = queue.of(job_id)
    assert job["status"] == "RUNNABLE"
    assert job["jobDefinition"].endswith(f"job-definition/{queue.definition}:2")
    assert job["jobQueue"].endswith(f"job-queue/{queue.name}")
    queue.batch.terminate_job(jobId=job_id, reason="replaced")
    job = queue.of(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "replaced")
    assert job["isTerminated"]
    queue.batch.terminate_job(jobId=job_id, reason="again")
    assert queue.of(job_id)["statusReason"] == "replaced"


def test_job_of_a_managed_queue_succeeds_at_once(aws: Aws) -> None:
    queue = make_queue(aws, "MANAGED")
    assert queue.of(queue.submit())["status"] == "SUCCEEDED"


def test_jobs_are_listed_by_status_and_running_ones_if_none_is_named(aws: Aws) -> None:
    queue, other = make_queue(aws), make_queue(aws)
    first, second = queue.submit(), queue.submit()
    other.submit()
    queue.batch.cancel_job(jobId=first, reason="not needed")
    assert queue.listed() == []
    assert queue.listed(jobStatus="RUNNABLE") == [second]
    assert queue.listed(jobStatus="FAILED") == [first]
    assert queue.of(first)["isCancelled"]


def test_filter_has_the_status_ignored_and_names_no_case(aws: Aws) -> None:
    queue = make_queue(aws)
    first, second = queue.submit("nightly-eu"), queue.submit("weekly")
    queue.batch.terminate_job(jobId=first, reason="x")
    assert queue.filtered("JOB_DEFINITION", queue.definition) == [second, first]
    assert queue.filtered("JOB_DEFINITION", queue.of(first)["jobDefinition"]) == [second, first]
    assert queue.filtered("JOB_DEFINITION", "other") == []
    assert queue.filtered("JOB_NAME", "NIGHTLY*") == [first]
    assert queue.filtered("JOB_NAME", "nightly") == []
    assert queue.filtered("AFTER_CREATED_AT", "0") == [second, first]
    assert queue.filtered("BEFORE_CREATED_AT", "1") == []
    with_status = queue.listed(
        jobStatus="RUNNABLE", filters=[{"name": "JOB_NAME", "values": ["nightly-eu"]}]
    )
    assert with_status == [first]


def test_long_list_has_pages(aws: Aws) -> None:
    queue = make_queue(aws)
    ids = [queue.submit() for _ in range(5)]
    pages = queue.batch.get_paginator("list_jobs").paginate(
        jobQueue=queue.name, jobStatus="RUNNABLE", PaginationConfig={"PageSize": 2}
    )
    found = [[job["jobId"] for job in page["jobSummaryList"]] for page in pages]
    assert [len(page) for page in found] == [2, 2, 1]
    assert sorted(job_id for page in found for job_id in page) == sorted(ids)


def test_what_is_not_there_is_refused(aws: Aws) -> None:
    queue = make_queue(aws)
    for fields in ({"jobQueue": "none"}, {"jobDefinition": "none"}, {"jobDefinition": "none:1"}):
        with pytest.raises(ClientError, match="does not exist"):
            queue.submit(**fields)
    with pytest.raises(ClientError, match="does not exist"):
        queue.batch.list_jobs(jobQueue="none")
