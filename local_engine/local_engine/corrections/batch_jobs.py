"""Restore what Batch tells of jobs, and that one can be ended.

Stock ministack says of every job that it succeeded at once, keeps queue and definition as they were typed,
lists jobs without regard to filters, and can end none. Here, as there, no container runs. But a queue whose
compute environments are all unmanaged has a host only if somebody starts one: its jobs stay RUNNABLE until
they are ended.

Source: AWS Batch API reference, ListJobs (one filter, which has the status ignored; RUNNING if neither is
given), TerminateJob, CancelJob; User Guide, "Jobs stuck in a RUNNABLE status", "Unmanaged compute
environments".
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_engine.options import EngineOptions

    type Job = dict[str, Any]

_BATCH = Seam("services.batch")
_PAGE = 100
_ENDS = ("SUCCEEDED", "FAILED")
_BEFORE_START = ("SUBMITTED", "PENDING", "RUNNABLE")
_SUMMARY = (
    "jobArn",
    "jobId",
    "jobName",
    "jobDefinition",
    "createdAt",
    "status",
    "statusReason",
    "startedAt",
    "stoppedAt",
    "isCancelled",
    "isTerminated",
)


def apply(_options: EngineOptions) -> None:
    """Keep jobs of unmanaged queues waiting, list them as asked, and end them."""
    stock = _BATCH["_submit_job"]

    def submit(request: dict[str, Any]) -> Any:
        if (refusal := _refusal(request)) is not None:
            return refusal
        status, headers, body = stock(request)
        if status == 200:  # noqa: PLR2004 - HTTP's
            _correct(_BATCH["_jobs"][json.loads(body)["jobId"]])
        return status, headers, body

    _BATCH.replace_entry("_DISPATCH", "/v1/submitjob", submit)
    _BATCH.replace_entry("_DISPATCH", "/v1/listjobs", _list)
    _BATCH.add_entry("_DISPATCH", "/v1/terminatejob", _end("isTerminated", ()))
    _BATCH.add_entry("_DISPATCH", "/v1/canceljob", _end("isCancelled", _BEFORE_START))


def _refusal(request: dict[str, Any]) -> Any:
    """Return the answer to a submission to a queue, or of a definition, that is not there."""
    name, error = _BATCH["_job_queue_name_from_ref"](request.get("jobQueue", ""))
    if error:
        return error
    if name not in _BATCH["_job_queues"]:
        return _no(f"Job queue {request.get('jobQueue', '')} does not exist")
    definition = request.get("jobDefinition", "")
    return None if arn_of(definition) else _no(f"Job definition {definition} does not exist")


def _correct(job: Job) -> None:
    """Name queue and definition as Batch does, and let the job wait where nothing starts a host."""
    name, _ = _BATCH["_job_queue_name_from_ref"](job["jobQueue"])
    job["jobQueue"] = _BATCH["_jq_arn"](name)
    job["jobDefinition"] = arn_of(job["jobDefinition"])
    environments = [
        _BATCH["_compute_envs"].get(order["computeEnvironment"].rpartition("/")[2], {})
        for order in _BATCH["_job_queues"][name]["computeEnvironmentOrder"]
    ]
    if environments and all(found.get("type") == "UNMANAGED" for found in environments):
        job["status"] = "RUNNABLE"
        for field in ("statusReason", "startedAt", "stoppedAt"):
            del job[field]
        job["container"] = {}


def arn_of(definition: str) -> str | None:
    """Return the ARN, with its revision, of a definition that is there; without a revision the newest."""
    match = re.fullmatch(r"(?:arn:[^/]+/)?([A-Za-z0-9_-]+)(?::(\d+))?", definition)
    revisions = _BATCH["_job_definitions"].get(match[1], []) if match else []
    for found in reversed(revisions):
        if match and match[2] in (None, str(found["revision"])):
            arn: str = found["jobDefinitionArn"]
            return arn
    return None


def _list(request: dict[str, Any]) -> Any:
    """List the jobs of a queue, the youngest first."""
    reference = request.get("jobQueue", "")
    name, error = _BATCH["_job_queue_name_from_ref"](reference)
    if error:
        return error
    if name not in _BATCH["_job_queues"]:
        return _no(f"Job queue {reference} does not exist")
    filters = request.get("filters") or []
    if len(filters) > 1:
        return _no("Only one filter can be used at a time")
    wanted = request.get("jobStatus", "RUNNING")
    jobs = [job for job in _BATCH["_jobs"].values() if job["jobQueue"] == _BATCH["_jq_arn"](name)]
    found = [
        job
        for job in reversed(jobs)
        if (_fits(job, filters[0]) if filters else job["status"] == wanted)
    ]
    start = int(request.get("nextToken") or 0)
    end = start + int(request.get("maxResults") or _PAGE)
    summaries = [{key: job[key] for key in _SUMMARY if key in job} for job in found[start:end]]
    more = {"nextToken": str(end)} if end < len(found) else {}
    return _BATCH["_json"](200, {"jobSummaryList": summaries, **more})


def _fits(job: Job, chosen: dict[str, Any]) -> bool:
    return any(_fits_one(job, chosen["name"], value) for value in chosen["values"])


def _fits_one(job: Job, name: str, value: str) -> bool:
    match name:
        case "JOB_NAME":
            return _matches(job["jobName"].lower(), value.lower())
        case "JOB_DEFINITION" if value.startswith("arn:"):
            return bool(job["jobDefinition"] == value)
        case "JOB_DEFINITION":
            definition = job["jobDefinition"].rpartition("/")[2].partition(":")[0]
            return _matches(definition, value)
        case "BEFORE_CREATED_AT":
            return bool(job["createdAt"] < int(value))
        case "AFTER_CREATED_AT":
            return bool(job["createdAt"] > int(value))
        case _:
            return False


def _matches(text: str, pattern: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def _end(flag: str, only: tuple[str, ...]) -> Callable[[dict[str, Any]], Any]:
    """Return the operation that ends a job; one that has ended, or is not there, is left without a word."""

    def end(request: dict[str, Any]) -> Any:
        if not request.get("reason"):
            return _no("reason is required")
        job = _BATCH["_jobs"].get(request.get("jobId"))
        if job and job["status"] not in _ENDS and (not only or job["status"] in only):
            now_ms = _BATCH["_now_ms"]()
            job |= {"status": "FAILED", "statusReason": request["reason"], "stoppedAt": now_ms}
            job[flag] = True
        return _BATCH["_json"](200, {})

    return end


def _no(message: str) -> Any:
    return _BATCH["_json"](400, {"__type": "ClientException", "message": message})
