"""Whether calls that were captured can be replayed: targets, policy, and functions that agree about them."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reprise.errors import PolicyError
from reprise.retry.policy import read_policy_document
from reprise_cli.doctor.check import Check, CheckGroup, Problem, one
from reprise_cli.doctor.checks.deployment import PUT_BACK
from reprise_cli.doctor.mend import aws, named
from reprise_cli.doctor.read import known
from reprise_cli.policy.document import short_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise_cli.doctor.facts import Facts
    from reprise_cli.doctor.things import FunctionFacts

POLICY: Final = "runbooks/policy.md"
_WAITS: Final = "replayers that start anew let every call wait"
_SETTINGS: Final = {
    "TARGETS": "TargetArns",
    "BUCKET": "BucketName",
    "LEDGER_TABLE": "LedgerTable",
    "POLICY_PARAMETER": "PolicyParameter",
    "CAPTURE_QUEUE_URL": "CaptureQueueUrl",
    "REPLAY_QUEUE_URL": "ReplayQueueUrl",
    "DEAD_LETTER_QUEUE_URL": "DeadLetterQueueUrl",
}
"""What functions are told, by variables that begin with REPRISE_, and the output that says the same."""


def _there(arn: str, target: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    del facts
    if target is None:
        yield Problem(
            f"target {arn} is not there: its calls end as permanent",
            "Deploy the function, or take its ARN out of Targets and deploy the stack again",
            "howto/first-deployment.md",
        )


def _held(arn: str, target: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    del facts
    if target is not None and known(target.reserved) == 0:
        name = short_name(arn)
        yield Problem(
            f"target {name} has reserved concurrency 0: live calls are refused, and replays wait",
            f"If nobody holds it on purpose: aws lambda delete-function-concurrency --function-name {name}",
            "runbooks/holding.md",
        )


def _timeout(arn: str, target: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    limit = facts.outputs.get("CallTimeoutSeconds", "")
    if target is not None and limit.isdigit() and target.timeout_s > int(limit):
        yield Problem(
            f"target {short_name(arn)} may run for {target.timeout_s} s, and a call is cut off after "
            f"{limit} s: nobody learns how it ended",
            "Deploy with a longer LongestTargetTimeout, or give the target a shorter timeout",
            "reference/parameters.md",
        )


def _settings(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    if function is None:
        return
    for part, output in _SETTINGS.items():
        variable = f"REPRISE_{part}"
        stated, wanted = function.environment.get(variable), facts.outputs.get(output)
        if stated is not None and wanted and stated != wanted:
            yield Problem(
                f"function {name} has another {variable} than the stack: {stated}", PUT_BACK
            )


def _complete(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    wanted = {
        facts.outputs.get("UnpackerFunction"): (
            "TARGETS",
            "BUCKET",
            "LEDGER_TABLE",
            "REPLAY_QUEUE_URL",
        ),
        facts.outputs.get("ReplayerFunction"): (
            "TARGETS",
            "BUCKET",
            "LEDGER_TABLE",
            "POLICY_PARAMETER",
        ),
        facts.outputs.get("InvokerFunction"): (
            "TARGETS",
            "BUCKET",
            "MAC_SECRET_ARN",
            "LEDGER_TABLE",
        ),
    }.get(name, ())
    for part in wanted:
        if function is not None and not function.environment.get(f"REPRISE_{part}"):
            yield Problem(
                f"function {name} has no variable REPRISE_{part}, so it cannot start", PUT_BACK
            )


def _recursion(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    del facts
    if function is not None and known(function.recursion) == "Terminate":
        yield Problem(
            f"Lambda stops function {name} as a runaway after 16 hops: calls in their backoff are lost to "
            "the dead-letter queue",
            aws("lambda put-function-recursion-config", recursive_loop="Allow", function_name=name),
        )


def _policy(_: str, text: str | None, facts: Facts) -> Iterable[Problem]:
    if text is None:
        name = facts.outputs.get("PolicyParameter", "")
        yield Problem(
            f"parameter {name} is gone: {_WAITS}",
            aws("ssm put-parameter", type="String", value="{}", name=name),
        )
        return
    try:
        read_policy_document(text)
    except PolicyError as error:
        yield Problem(
            f"the policy document is not valid: {str(error).rstrip('.')}; {_WAITS}",
            "`reprise policy edit`; `reprise policy history` has what stood there before",
        )


def _paused(_: str, text: str | None, facts: Facts) -> Iterable[Problem]:
    del facts
    try:
        book = read_policy_document(text or "{}")
    except PolicyError:
        return
    if not book.for_target("*").enabled:
        yield Problem(
            "everything is paused: calls are captured, and none is replayed",
            "`reprise top --once` says by whom and why; `reprise policy resume --all`",
        )
        return
    for name in _names(text or "{}"):
        if not book.for_target(name).enabled:
            yield Problem(
                f"target {name} is paused: its calls are captured, and wait",
                f"`reprise top --once` says by whom and why; `reprise policy resume {named(name)}`",
            )


def _named(_: str, text: str | None, facts: Facts) -> Iterable[Problem]:
    allowed = [arn for arn in facts.outputs.get("TargetArns", "").split(",") if arn]
    names = [short_name(arn) for arn in allowed]
    for name in _names(text or "{}"):
        if not any(_fits(name, each) for each in names):
            yield Problem(
                f"the policy is for {name}, which is none of Targets: it has no effect",
                f"Correct the name by `reprise policy edit`; Targets has {', '.join(names) or 'none'}",
            )


def _names(text: str) -> list[str]:
    """Return the targets that a document names; of one that is not valid, none."""
    try:
        read_policy_document(text)
    except PolicyError:
        return []
    return list(json.loads(text).get("targets", {}))


def _fits(name: str, allowed: str) -> bool:
    return name.startswith(allowed[:-1]) if allowed.endswith("*") else name == allowed


_check: Final = partial(Check[Any], CheckGroup.REPLAY)

REPLAY_CHECKS: Final[tuple[Check[Any], ...]] = (
    _check(
        "target-there",
        "are all targets there that are named in full?",
        "howto/first-deployment.md",
        lambda facts: facts.targets,
        _there,
    ),
    _check(
        "target-held",
        "may all of them run?",
        "runbooks/holding.md",
        lambda facts: facts.targets,
        _held,
    ),
    _check(
        "target-timeout",
        "does a call last as long as its target may run?",
        "reference/parameters.md",
        lambda facts: facts.targets,
        _timeout,
    ),
    _check(
        "settings-agree",
        "do all functions know the same targets, bucket, queues and table?",
        "reference/environment.md",
        lambda facts: facts.functions,
        _settings,
    ),
    _check(
        "settings-complete",
        "has each function the variables that it starts with?",
        "reference/environment.md",
        lambda facts: facts.functions,
        _complete,
    ),
    _check(
        "recursion-allowed",
        "may messages go round as often as their backoff takes?",
        "explanation/not-run-on-aws.md",
        lambda facts: facts.functions,
        _recursion,
    ),
    _check(
        "policy-valid", "is the policy valid?", POLICY, lambda facts: one(facts.policy), _policy
    ),
    _check("policy-paused", "is nothing paused?", POLICY, lambda facts: one(facts.policy), _paused),
    _check(
        "policy-names", "are its targets ours?", POLICY, lambda facts: one(facts.policy), _named
    ),
)
