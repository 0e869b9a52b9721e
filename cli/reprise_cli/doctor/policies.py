"""What IAM policy documents allow, action by action: pure rules, for documents of roles and of templates.

Resources and conditions are not weighed: that takes IAM itself. What is found is what somebody took away.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROLE: Final = "AWS::IAM::Role"
_ALL: Final = "*"


@dataclass(frozen=True, slots=True)
class Allowances:
    """Actions that documents allow and deny, as they write them: `s3:Get*`."""

    allows: frozenset[str] = frozenset()
    denies: frozenset[str] = frozenset()

    def __or__(self, other: Allowances) -> Allowances:
        """Return what both say."""
        return Allowances(self.allows | other.allows, self.denies | other.denies)

    def allow(self, action: str) -> bool:
        """Tell whether some statement allows an action on something."""
        return any(_covers(pattern, action) for pattern in self.allows)

    def lacks(self, wanted: Allowances) -> list[str]:
        """Return the wanted actions that no statement allows."""
        return sorted(action for action in wanted.allows if not self.allow(action))

    def denies_besides(self, wanted: Allowances) -> list[str]:
        """Return what is denied that should not be, and bears on what is wanted."""
        return sorted(
            pattern
            for pattern in self.denies - wanted.denies
            if any(_covers(pattern, action) for action in wanted.allows)
        )


def read_document(document: object) -> Allowances:
    """Return what a policy document says; of what is no such document, nothing.

    A statement under a condition of the template (`Fn::If`) says nothing.
    """
    said = Allowances()
    for statement in _statements(document):
        actions = statement.get("Action")
        # NotAction allows all but some: nobody can be said to lack anything.
        listed = [_ALL] if actions is None and "NotAction" in statement else _texts(actions)
        if statement.get("Effect") == "Deny":
            said |= Allowances(denies=frozenset(listed if actions is not None else ()))
        elif statement.get("Effect") == "Allow":
            said |= Allowances(allows=frozenset(listed))
    return said


def roles_of_template(template: object) -> dict[str, Allowances]:
    """Return what a template's roles are given, by their logical ids."""
    resources = template.get("Resources") if isinstance(template, dict) else None
    found: dict[str, Allowances] = {}
    for logical, resource in resources.items() if isinstance(resources, dict) else ():
        if isinstance(resource, dict) and resource.get("Type") == ROLE:
            found[str(logical)] = _of_role(resource.get("Properties"))
    return found


def _of_role(properties: object) -> Allowances:
    policies = properties.get("Policies") if isinstance(properties, dict) else None
    said = Allowances()
    for policy in policies if isinstance(policies, list) else ():
        if isinstance(policy, dict):
            said |= read_document(policy.get("PolicyDocument"))
    return said


def _statements(document: object) -> Iterator[Mapping[str, Any]]:
    statements = document.get("Statement") if isinstance(document, dict) else None
    listed: Iterable[object] = statements if isinstance(statements, list) else [statements]
    for statement in listed:
        if isinstance(statement, dict):
            yield statement


def _texts(value: object) -> list[str]:
    listed: Iterable[object] = value if isinstance(value, list) else [value]
    return [text for text in listed if isinstance(text, str)]


def _covers(pattern: str, action: str) -> bool:
    # IAM knows * and ?, and no case (IAM user guide, "IAM JSON policy elements: Action").
    return fnmatchcase(action.lower(), pattern.lower().replace("[", "[[]"))
