"""Show policies, and what was done to them, to people."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.fitted import Column, Fitted
from reprise_cli.policy.document import DEFAULT, FIELDS, differences, problem_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reprise.retry.policy import Policy
    from reprise_cli.policy.parameter import Version

_LEAST: Final = 16
"""Characters in which a value or a change can still be read."""


def plain(policy: Policy) -> dict[str, Any]:
    """Return a policy as JSON values."""
    values: dict[str, Any] = {}
    for name in FIELDS:
        value = getattr(policy, name)
        values[name] = sorted(map(str, value)) if isinstance(value, frozenset) else value
    return values


def said_by(document: Mapping[str, Any], target: str, field: str) -> str:
    """Return who says what a field of a target's policy is."""
    if target != DEFAULT and field in document.get("targets", {}).get(target, {}):
        return target
    return DEFAULT if field in document.get(DEFAULT, {}) else "built in"


def policy_table(policy: Policy, sources: Mapping[str, str], title: str) -> Fitted:
    """Return the policy that holds for a target as a table."""
    values = plain(policy)
    return Fitted(
        columns=(
            Column(name="field", cells=[*values], rank=0),
            Column(
                name="value",
                cells=[_shown(value) for value in values.values()],
                rank=0,
                least=_LEAST,
            ),
            Column(name="said by", cells=[sources[name] for name in values], rank=1),
        ),
        title=title,
    )


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not said" if value is None else json.dumps(value)


def changes(versions: Sequence[Version]) -> list[dict[str, Any]]:
    """Return what each version changed, the newest first."""
    told: list[dict[str, Any]] = []
    before: dict[str, Any] | None = None
    for version in versions:
        problem = problem_of(version.text)
        after = {} if problem else json.loads(version.text)
        lines = [f"not valid, so it changed nothing: {problem}"] if problem else []
        if not problem and before is not None:
            lines = differences(before, after)
        elif not problem:
            lines = ["the first version" if version.number == 1 else "the first that is kept"]
        said = asdict(version)
        said["version"] = said.pop("number")
        told.append({**said, "problem": problem, "changes": lines})
        before = before if problem else after
    return told[::-1]


def _whys(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return descriptions, none twice in a row: a version by hand may keep that of the one before it."""
    whys = [str(each["why"]) for each in told]
    return ["unchanged" if why and why == older else why for why, older in pairwise([*whys, ""])]


def history_table(told: Sequence[Mapping[str, Any]], title: str) -> Fitted:
    """Return what versions changed as a table."""
    return Fitted(
        columns=(
            Column(name="version", cells=[str(each["version"]) for each in told], rank=0),
            Column(
                name="what",
                cells=["\n".join(each["changes"]) or "nothing" for each in told],
                rank=0,
                least=_LEAST,
            ),
            Column(name="when", cells=[str(each["at"])[:19] + "Z" for each in told], rank=1),
            Column(
                name="who",
                cells=[str(each["by"]).rpartition(":")[2] for each in told],
                rank=2,
                least=_LEAST,
            ),
            Column(name="why", cells=_whys(told), rank=3, least=_LEAST),
        ),
        title=title,
    )
