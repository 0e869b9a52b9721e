"""The policy of one target: how often, how long and how fast its calls are replayed.

Numbers follow Lambda's own asynchronous invocation, so that nobody has to learn new ones: three
attempts for function errors one and two minutes apart, six hours for everything that never ran.

Source: Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation".
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from reprise.call.outcome import OutcomeKind
from reprise.errors import PolicyError

_Attempts = Annotated[int, Meta(ge=1, le=100)]
_AgeS = Annotated[int, Meta(ge=60, le=14 * 86_400)]
_WaitS = Annotated[float, Meta(ge=0.0, le=43_200.0)]
_Coefficient = Annotated[float, Meta(ge=1.0, le=10.0)]
_Concurrency = Annotated[int, Meta(ge=1, le=10_000)]
_Share = Annotated[float, Meta(ge=0.0, le=0.9)]


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the calls of one target are replayed."""

    enabled: bool = True
    """False keeps calls waiting: nothing is invoked, nothing is given up."""
    max_attempts: _Attempts = 3
    """Executions that failed before a call is given up; throttles do not count. 1 to 100."""
    max_age_s: _AgeS = 21_600
    """Age at which a call is given up, whatever its attempts. One minute to 14 days."""
    initial_s: _WaitS = 60.0
    """Longest wait after the first failed attempt. 0 to 43,200 (SQS's longest visibility)."""
    maximum_s: _WaitS = 300.0
    """Longest wait after any attempt. 0 to 43,200."""
    coefficient: _Coefficient = 2.0
    """Growth of the wait from one attempt to the next. 1 to 10."""
    replay_on: frozenset[OutcomeKind] = frozenset(
        {OutcomeKind.THROTTLED, OutcomeKind.TRANSIENT, OutcomeKind.FUNCTION_ERROR}
    )
    """Outcomes worth a replay; the others are given up at once."""
    never_error_types: frozenset[str] = frozenset()
    """`errorType`s of the target's own that no replay can heal."""
    idempotent: bool = False
    """True allows a replay of calls whose outcome is unknown: the target tolerates a second run."""
    max_concurrency: _Concurrency | None = None
    """Most replays of this target at once, over all replayers. 1 to 10,000."""
    headroom: _Share = 0.1
    """Share of the target's reserved concurrency (or of the account's unreserved, if it has none) that is
    left to live traffic. 0 to 0.9."""


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
    default, targets = document.get("default", {}), document.get("targets", {})
    if not isinstance(targets, dict):
        msg = "targets: must be an object of policies by function name"
        raise PolicyError(msg)
    base = _read(default, "default")
    overrides = {
        name: _read(_merge(default, changes, f"targets.{name}"), f"targets.{name}")
        for name, changes in targets.items()
    }
    return PolicyBook(base, overrides)


def _merge(default: dict[str, Any], changes: object, path: str) -> dict[str, Any]:
    if not isinstance(changes, dict):
        msg = f"{path}: must be an object of policy fields"
        raise PolicyError(msg)
    return {**default, **changes}


def _read(fields: object, path: str) -> Policy:
    try:
        policy = msgspec.convert(fields, Policy)
    except msgspec.ValidationError as error:
        msg = f"{path}: {error}. Correct the SSM parameter"
        raise PolicyError(msg) from error
    if policy.maximum_s < policy.initial_s:
        msg = f"{path}: maximum_s must not be below initial_s. Correct the SSM parameter"
        raise PolicyError(msg)
    return policy
