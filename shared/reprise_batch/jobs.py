"""Submit batch jobs, for the first time or again, and say how that ended.

A job that failed is submitted again as Batch itself describes it, and only if Batch says that it failed:
an event is a hint, never an order (docs/adr/0014).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from reprise.aws.fault import store_errors
from reprise.aws.functions import outcome_of
from reprise.call.outcome import Outcome, OutcomeKind
from reprise.ports import Reply
from reprise_batch.again import Changes, changed, told
from reprise_batch.event import FailureReport
from reprise_batch.failure import read_job
from reprise_batch.look import going, likeness
from reprise_batch.submit import submission_of, unversioned

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

    from reprise.aws.clients import Clients
    from reprise.call.request import CallRequest
    from reprise.call.target import Target
    from reprise_batch.look import SeenJob


class _Again(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for of a failed job; messages of earlier versions have no policy."""

    again: FailureReport
    policy: Changes = Changes()


class BatchJobs:
    """AWS Batch; the client must not retry (see `Clients.batch`)."""

    __slots__ = ("_client",)

    def __init__(self, client: BatchClient) -> None:
        """Submit through this client."""
        self._client = client

    def invoke(
        self, target: Target, payload: bytes, client_context: str | None, trace: str | None = None
    ) -> Reply:
        """Submit once; never raise for how it ends. The reply names the job."""
        del client_context, trace  # Batch has neither.
        try:
            document = json.loads(payload)
            if "again" in document:
                return self._again(target, msgspec.convert(document, _Again))
            return self._submit(document["submit"])
        except (KeyError, TypeError, ValueError) as error:
            return _permanent("BadSubmission", f"not a submission: {error}")
        except Exception as error:  # noqa: BLE001 - the class of the failure is the answer
            return Reply(outcome=outcome_of(error))

    def _submit(self, request: dict[str, Any], **more: str) -> Reply:
        response: Any = self._client.submit_job(**request)
        answer = {name: response[name] for name in ("jobId", "jobName") if name in response}
        metadata = response["ResponseMetadata"]
        outcome = Outcome(
            kind=OutcomeKind.SUCCEEDED,
            status=metadata.get("HTTPStatusCode"),
            request_id=metadata.get("RequestId"),
        )
        return Reply(outcome=outcome, payload=json.dumps(answer | more).encode())

    def status_of(self, job_id: str) -> dict[str, Any] | None:
        """Return what Batch knows of a job; None if it has forgotten it, a week after its end.

        Raises:
            StoreError: If Batch cannot be asked now.
        """
        with store_errors("batch", "DescribeJobs"):
            return self._describe(job_id)

    def going(self, request: CallRequest, /) -> list[SeenJob]:
        """Return the jobs like the one that a call would submit that have not ended; see `look.going`."""
        return going(self._client, likeness(request))

    def end(self, job_id: str, reason: str, /) -> None:
        """Have a job ended: one that runs is terminated, one that has not begun is cancelled.

        Raises:
            StoreError: If Batch cannot be told now.
        """
        with store_errors("batch", "TerminateJob"):
            self._client.terminate_job(jobId=job_id, reason=reason)

    def _describe(self, job_id: str) -> dict[str, Any] | None:
        jobs: Any = self._client.describe_jobs(jobs=[job_id])["jobs"]
        return dict(jobs[0]) if jobs else None

    def _again(self, target: Target, order: _Again) -> Reply:
        """Submit a failed job again as its policy changes it, or say why not."""
        report = order.again
        detail = self._describe(report.job_id)
        if detail is None:
            return _permanent("JobForgotten", f"Batch does not know job {report.job_id} any more")
        job = read_job(detail)
        if job.status != "FAILED" or unversioned(job.job_definition) != target.function:
            return _permanent(
                "NotThatJob",
                f"Batch says that job {job.job_id} is {job.status}, of {job.job_definition}",
            )
        if not job.is_ours_to_submit:
            return _permanent(
                "Cancelled", f"job {job.job_id} was cancelled, or is a child of an array or a node"
            )
        as_it_was = submission_of(
            detail, attempts=report.attempts + int(report.is_counted), since=report.since
        )
        request = changed(as_it_was, detail, job, order.policy)
        if isinstance(request, Outcome):
            return Reply(outcome=request)
        difference = told(request, as_it_was)
        try:
            return self._submit(request, **difference)
        except ClientError as error:
            if "jobQueue" not in difference or outcome_of(error).code != "AccessDeniedException":
                raise
            return _permanent(
                "FallbackQueueRefused",
                f"the replayer may not submit to {difference['jobQueue']}: put fallback_queue among the "
                "add-on's BatchJobQueues and deploy it again, then redrive it",
            )


def _permanent(code: str, message: str) -> Reply:
    return Reply(outcome=Outcome(kind=OutcomeKind.PERMANENT, code=code, message=message))


def connect(clients: Clients, call_timeout_s: int) -> BatchJobs:
    """Return what submits jobs; a submission is answered at once, however long a call may take."""
    del call_timeout_s
    return BatchJobs(clients.batch())
