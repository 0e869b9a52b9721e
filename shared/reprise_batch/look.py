"""Look at the jobs of a queue, whoever submitted them.

What has not ended is asked for by status, and matched here. ListJobs takes one filter at a time, and with
JOB_NAME or JOB_DEFINITION it ignores the status: a week of ended jobs would be listed to find one that goes.
The five states are asked for in the order in which a job goes through them, so one that moves on meanwhile is
seen twice, and not missed; only one that Batch itself tries again goes back.

Source: AWS Batch API reference, ListJobs (`filters`, `jobStatus`); User Guide, "Job states".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from reprise.aws.fault import store_errors
from reprise.errors import StoreError
from reprise_batch.failure import JOB, ORIGIN
from reprise_batch.submit import unversioned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_batch import BatchClient
    from mypy_boto3_batch.literals import JobStatusType

    from reprise.call.request import CallRequest

GOING: Final[tuple[JobStatusType, ...]] = (
    "SUBMITTED",
    "PENDING",
    "RUNNABLE",
    "STARTING",
    "RUNNING",
)
"""All states of a job but its ends, in order."""
_PAGES: Final = 10
"""Of 1,000 jobs each: a queue in which more wait in one state is not looked through for one run."""
_DESCRIBED: Final = 100
"""DescribeJobs takes as many ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """By what a job is known again: by its name if whoever submits it names it, else by its definition."""

    queue: str
    definition: str
    """ARN without revision."""
    name: str | None = None
    """Set if it is another than the definition's."""

    def fits(self, summary: Mapping[str, Any]) -> bool:
        """Tell whether a job of the queue is such a one."""
        if self.name is not None:
            return bool(summary.get("jobName") == self.name)
        return unversioned(str(summary.get("jobDefinition", ""))) == self.definition


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenJob:
    """A job, as Batch tells of it."""

    job_id: str
    name: str
    status: str
    created_at_ms: int
    reason: str | None = None
    """Why it is in its status, in Batch's words."""
    scheduled_job: str | None = None
    """The scheduled job of which it is a run; None if somebody else submitted it."""
    is_again: bool = False
    """Whether we submitted it in the place of one that failed."""


def likeness(request: CallRequest) -> Likeness:
    """Return by what a submission's job is known again."""
    submission = json.loads(request.payload)["submit"]
    definition = request.target.function
    name = submission["jobName"]
    return Likeness(
        queue=submission["jobQueue"],
        definition=definition,
        name=None if name == definition.rpartition("/")[2] else name,
    )


def going(client: BatchClient, like: Likeness) -> list[SeenJob]:
    """Return the jobs that are like one and have not ended.

    Raises:
        StoreError: If Batch cannot be asked now, or the queue is too long to look through.
    """
    ids: dict[str, None] = {}
    for status in GOING:
        for page in _pages(client, {"jobQueue": like.queue, "jobStatus": status}):
            ids.update((found["jobId"], None) for found in page if like.fits(found))
    found = [job for job in describe(client, ids) if job.status in GOING]
    return sorted(found, key=lambda job: job.created_at_ms)


def recent(client: BatchClient, like: Likeness, *, at_most: int) -> list[SeenJob]:
    """Return jobs that are like one, ended or not, the youngest first: those that Batch has not forgotten.

    Raises:
        StoreError: If Batch cannot be asked now.
    """
    name = like.definition.rpartition("/")[2]
    chosen = {"name": "JOB_DEFINITION", "values": [name]}
    if like.name is not None:
        chosen = {"name": "JOB_NAME", "values": [like.name]}
    ids: dict[str, None] = {}
    for page in _pages(client, {"jobQueue": like.queue, "filters": [chosen]}):
        ids.update((found["jobId"], None) for found in page if like.fits(found))
        if len(ids) >= at_most:
            break
    found = list(describe(client, list(ids)[:at_most]))
    return sorted(found, key=lambda job: -job.created_at_ms)


def describe(client: BatchClient, ids: Iterable[str]) -> Iterator[SeenJob]:
    """Yield what Batch knows of jobs, their tags included, which ListJobs leaves out."""
    for chosen in batched(ids, _DESCRIBED):
        with store_errors("batch", "DescribeJobs"):
            details: Any = client.describe_jobs(jobs=list(chosen))["jobs"]
        for detail in details:
            yield SeenJob(
                job_id=detail["jobId"],
                name=detail["jobName"],
                status=detail["status"],
                created_at_ms=int(detail.get("createdAt", 0)),
                reason=detail.get("statusReason"),
                scheduled_job=detail.get("tags", {}).get(JOB),
                is_again=ORIGIN in detail.get("tags", {}),
            )


def _pages(client: BatchClient, request: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the pages of a list."""
    token: dict[str, str] = {}
    for _ in range(_PAGES):
        with store_errors("batch", "ListJobs"):
            answer: Any = client.list_jobs(**{**request, **token})
        yield answer["jobSummaryList"]
        if not answer.get("nextToken"):
            return
        token = {"nextToken": answer["nextToken"]}
    message = f"queue {request['jobQueue']} has more than {_PAGES} pages of jobs"
    raise StoreError("batch", "ListJobs", "TooManyJobs", message)
