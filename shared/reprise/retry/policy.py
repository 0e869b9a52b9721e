"""The policy of one target: how often, how long and how fast its calls are replayed.

Numbers follow Lambda's own asynchronous invocation, so that nobody has to learn new ones: three
attempts for function errors one and two minutes apart, six hours for everything that never ran.

Source: Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation".
"""

from __future__ import annotations

import json
import logging
import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from reprise.call.outcome import OutcomeKind
from reprise.errors import PolicyError

_log = logging.getLogger(__name__)

_Attempts = Annotated[int, Meta(ge=1, le=100)]
_AgeS = Annotated[int, Meta(ge=60, le=14 * 86_400)]
_WaitS = Annotated[float, Meta(ge=0.0, le=43_200.0)]
_Coefficient = Annotated[float, Meta(ge=1.0, le=10.0)]
_Concurrency = Annotated[int, Meta(ge=1, le=10_000)]
_Share = Annotated[float, Meta(ge=0.0, le=0.9)]
_Factor = Annotated[float, Meta(ge=1.0, le=10.0)]
_MemoryMib = Annotated[int, Meta(ge=4, le=33_554_432)]
_Times = Annotated[int, Meta(ge=1, le=100)]
_Captured = Literal["throttled", "transient", "unknown", "function_error", "permanent"]


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the calls of one target are replayed."""

    enabled: bool = True
    """False keeps calls waiting: nothing is invoked, nothing is given up."""
    maximum_attempts: _Attempts = 3
    """Executions that failed before a call is given up; throttles do not count. 1 to 100."""
    max_age_s: _AgeS = 21_600
    """Age at which a call is given up, whatever its attempts. One minute to 14 days."""
    initial_interval_s: _WaitS = 60.0
    """Longest wait after the first failed attempt. 0 to 43,200 (SQS's longest visibility)."""
    maximum_interval_s: _WaitS = 300.0
    """Longest wait after any attempt. 0 to 43,200."""
    backoff_coefficient: _Coefficient = 2.0
    """Growth of the wait from one attempt to the next. 1 to 10."""
    replay_on: frozenset[OutcomeKind] = frozenset(
        {OutcomeKind.THROTTLED, OutcomeKind.TRANSIENT, OutcomeKind.FUNCTION_ERROR}
    )
    """Outcomes worth a replay; the others are given up at once."""
    non_retryable_error_types: frozenset[str] = frozenset()
    """`errorType`s of the target's own that no replay can heal."""
    idempotent: bool = False
    """True allows a replay of calls whose outcome is unknown: the target tolerates a second run."""
    max_concurrency: _Concurrency | None = None
    """Most replays of this target at once, over all replayers. 1 to 10,000; without it 2 for a target on
    Lambda Managed Instances, and what `headroom` leaves for any other."""
    capture_on: frozenset[_Captured] | None = None
    """Outcomes of callers' own calls that are captured; None leaves it to whoever captures."""
    headroom: _Share = 0.1
    """Share of the target's reserved concurrency (or of the account's unreserved, if it has none) that is
    left to live traffic. 0 to 0.9."""
    memory_factor: _Factor = 1.0
    """Batch: growth of the memory of a job that ran out of it, from run to run. 1 (none) to 10."""
    memory_cap_mib: _MemoryMib | None = None
    """Batch: most memory that a job may get so, in MiB. 4 (Batch's own least) to 32 TiB."""
    memory_adds_vcpus: bool = False
    """Batch: True takes more vCPUs where Fargate has no such memory with those of the job."""
    fallback_queue: str | None = None
    """Batch: name or ARN of the job queue for jobs that found no host, or lost theirs."""
    fallback_after: _Times = 1
    """Batch: hosts missed or lost in a chain of jobs, from which on it goes to `fallback_queue`. 1 to 100."""


def captures(policy: Policy, kind: OutcomeKind, default: frozenset[OutcomeKind]) -> bool:
    """Tell whether a call that ended so is captured.

    Args:
        policy: Of its target.
        kind: How it ended; a success is never captured.
        default: What whoever captures does where the policy says nothing.
    """
    wanted = default if policy.capture_on is None else policy.capture_on
    return kind is not OutcomeKind.SUCCEEDED and kind in wanted


JOB_QUEUE: Final = (
    r"(arn:aws[a-z-]*:batch:[a-z0-9-]+:[0-9]{12}:job-queue/)?[A-Za-z0-9][A-Za-z0-9_-]{0,127}"
)
"""What names a job queue, whole. Source: AWS Batch API reference, CreateJobQueue, `jobQueueName`."""
_JOB_QUEUE: Final = re.compile(JOB_QUEUE)
NEW_NAMES: Final = {
    "max_attempts": "maximum_attempts",
    "initial_s": "initial_interval_s",
    "maximum_s": "maximum_interval_s",
    "coefficient": "backoff_coefficient",
    "never_error_types": "non_retryable_error_types",
}
"""What 0.1.0 called a field that now has the name of Temporal's RetryPolicy. Documents outlive releases: they
are edited by hand in Parameter Store, so the old names are still read."""


class PolicyBook:
    """The policies of all targets: a default, and what single targets change of it."""

    __slots__ = ("_default", "_overrides")

    def __init__(self, default: Policy, overrides: dict[str, Policy]) -> None:
        """Keep the default and the whole policy of each named target."""
        self._default = default
        self._overrides = overrides

    def for_target(self, function_name: str) -> Policy:
        """Return the policy of a function, by its bare name."""
        return self._overrides.get(function_name, self._default)


def read_policy_document(text: str) -> PolicyBook:
    """Return the policies of a document `{"default": {...}, "targets": {"name": {...}}}`.

    Fields may have their names of 0.1.0 (`NEW_NAMES`); a warning is logged for each then.

    Raises:
        PolicyError: Naming the field, if the document is not valid.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"policy document is not JSON: {error}. Correct the SSM parameter"
        raise PolicyError(msg) from error
    if not isinstance(document, dict) or not set(document) <= {"default", "targets"}:
        msg = 'policy document must be an object with "default" and "targets" only'
        raise PolicyError(msg)
    default = with_new_names(document.get("default", {}), "default")
    targets = document.get("targets", {})
    if not isinstance(targets, dict):
        msg = "targets: must be an object of policies by function name"
        raise PolicyError(msg)
    base = _read(default, "default")
    # Renamed before they are merged: a target may say in one vocabulary what the default says in the other.
    overrides = {}
    for name, changes in targets.items():
        path = f"targets.{name}"
        overrides[name] = _read({**default, **with_new_names(changes, path)}, path)
    return PolicyBook(base, overrides)


def with_new_names(fields: object, path: str, *, is_told: bool = True) -> dict[str, Any]:
    """Return the fields of one policy by their present names.

    Args:
        fields: As they stand in a document.
        path: Where, for messages.
        is_told: Whether a warning is logged for each field that has its old name.

    Raises:
        PolicyError: If they are no object, or one is given by both its names: which is meant cannot be told.
    """
    if not isinstance(fields, dict):
        msg = f"{path}: must be an object of policy fields"
        raise PolicyError(msg)
    given: dict[str, Any] = fields
    renamed: dict[str, Any] = {}
    for name, value in given.items():
        new_name = NEW_NAMES.get(name, name)
        if new_name != name:
            if new_name in given:
                msg = (
                    f"{path}: {name} is the old name of {new_name}, and both are given. "
                    f"Remove {name}"
                )
                raise PolicyError(msg)
            if is_told:
                _log.warning("policy: %s: %s is now called %s: rename it", path, name, new_name)
        renamed[new_name] = value
    return renamed


def _read(fields: object, path: str) -> Policy:
    try:
        policy = msgspec.convert(fields, Policy)
    except msgspec.ValidationError as error:
        msg = f"{path}: {error}. Correct the SSM parameter"
        raise PolicyError(msg) from error
    if policy.maximum_interval_s < policy.initial_interval_s:
        msg = f"{path}: maximum_interval_s must not be below initial_interval_s. Correct the SSM parameter"
        raise PolicyError(msg)
    if policy.memory_factor > 1 and policy.memory_cap_mib is None:
        why = "memory_factor needs memory_cap_mib, the most that a job may get"
        msg = f"{path}: {why}. Correct the SSM parameter"
        raise PolicyError(msg)
    if policy.fallback_queue is not None and not _JOB_QUEUE.fullmatch(policy.fallback_queue):
        msg = (
            f"{path}: fallback_queue must be the name or the ARN of a job queue, not "
            f"{policy.fallback_queue!r}. Correct the SSM parameter"
        )
        raise PolicyError(msg)
    return policy
