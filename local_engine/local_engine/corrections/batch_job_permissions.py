"""Restore the resources of Batch's permissions: a submission's definition and queue, and a job that is ended.

Stock ministack, with IAM enforced, checks every operation of Batch against ``*``, which only a policy for
every resource allows, and knows no tags of jobs. AWS asks for each resource of an operation, and for
``batch:TagResource`` if a submission has tags.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Batch" (SubmitJob,
TerminateJob, CancelJob, ``aws:ResourceTag``); Batch User Guide, "Tag your resources".
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from local_engine.corrections.batch_jobs import arn_of
from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_ACTIONS = Seam("core.iam_actions")
_EVALUATOR = Seam("core.iam_evaluator")
_BATCH = Seam("services.batch")
_OF_A_JOB = ("batch:TerminateJob", "batch:CancelJob")
_MORE: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("more", default=())
"""What else the request at hand needs: actions and resources."""


def apply(_options: EngineOptions) -> None:
    """Name the resources where ministack names nothing, and tell a job's tags."""
    stock_arn, stock_enforce = _ACTIONS["extract_resource_arn"], _EVALUATOR["enforce"]

    def extract(service: str, *request: Any) -> str:
        arn: str = stock_arn(service, *request)
        if service != "batch" or arn != "*":
            return arn
        *asked, region, account = request
        action = _ACTIONS["extract_iam_action"](service, *asked)
        body = json.loads(asked[3] or b"{}")
        prefix = f"arn:aws:batch:{region}:{account}"
        if action in _OF_A_JOB:
            return f"{prefix}:job/{body.get('jobId')}"
        if action != "batch:SubmitJob":
            return arn
        queue = str(body.get("jobQueue", "")).rpartition("/")[2]
        tags = [("batch:TagResource", f"{prefix}:job/*")] if body.get("tags") else []
        _MORE.set((("batch:SubmitJob", f"{prefix}:job-queue/{queue}"), *tags))
        return arn_of(str(body.get("jobDefinition", ""))) or arn

    def enforce(
        access_key_id: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        def asked(what: str, resource: str, context: dict[str, Any] | None) -> Any:
            return stock_enforce(access_key_id, what, service, region, resource, context)

        if action in _OF_A_JOB:
            job = _BATCH["_jobs"].get(resource_arn.rpartition("/")[2]) or {}
            tags = {f"aws:ResourceTag/{key}": value for key, value in job.get("tags", {}).items()}
            return asked(action, resource_arn, {**(service_context or {}), **tags})
        denied = asked(action, resource_arn, service_context)
        if action == "batch:SubmitJob":
            for what, resource in _MORE.get():
                denied = denied or asked(what, resource, service_context)
        return denied

    _ACTIONS.replace("extract_resource_arn", extract)
    _EVALUATOR.replace("enforce", enforce)
