"""What CloudFormation tells of the stack, its nested stacks and its add-ons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.checks.deployment import WELL
from reprise_cli.doctor.policies import Allowances, roles_of_template
from reprise_cli.doctor.read import NotRead
from reprise_cli.doctor.reading.attempt import attempt, attempt_there, each, pages_of
from reprise_cli.doctor.things import DriftFacts, ResourceFacts, StackFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise_cli.doctor.read import Read, ReadEach

_NESTED: Final = "AWS::CloudFormation::Stack"
_FUNCTION: Final = "AWS::Lambda::Function"
_MOST_REASONS: Final = 3
_DRIFT_STEP: Final = (
    "whether others changed what the template made was not looked for: `reprise doctor --drift` lets "
    "CloudFormation compare, in a minute or two"
)
_DRIFT_LOOKS: Final = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The stack, its nested stacks and its add-ons."""

    states: dict[str, Read[StackFacts]]
    resources: Read[tuple[ResourceFacts, ...]]
    templates: dict[str, Read[Any]] = field(default_factory=dict)
    """Templates as deployed, by `Resource.stack`."""
    ids: dict[str, str] = field(default_factory=dict)
    """What CloudFormation knows each by, by name."""

    def wanted_of_roles(self) -> dict[str, Read[Allowances]]:
        """Return what the templates want of each role, by its name."""
        found: dict[str, Read[Allowances]] = {}
        for each_one in () if isinstance(self.resources, NotRead) else self.resources:
            if each_one.kind != "AWS::IAM::Role":
                continue
            template = self.templates.get(each_one.stack, NotRead("its template was not read"))
            if isinstance(template, NotRead):
                found[each_one.physical] = template
            else:
                found[each_one.physical] = roles_of_template(template).get(
                    each_one.logical, Allowances()
                )
        return found

    def may_recurse(self) -> set[str]:
        """Return the functions whose template lets messages go round, by name."""
        found = set()
        for each_one in () if isinstance(self.resources, NotRead) else self.resources:
            template = self.templates.get(each_one.stack)
            if each_one.kind != _FUNCTION or not isinstance(template, dict):
                continue
            made = template.get("Resources", {}).get(each_one.logical, {})
            if made.get("Properties", {}).get("RecursiveLoop") == "Allow":
                found.add(each_one.physical)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StackReader:
    """Reads stacks."""

    client: Any
    """Of CloudFormation."""

    def read(self, root: str, addons: tuple[str, ...]) -> Family:
        """Return the stack of this name, which is there, and all that belongs to it."""
        listed = self._resources(root)
        if isinstance(listed, NotRead):
            state = self._state(root)
            assert state is not None  # noqa: S101 - the root was found before
            return Family(states={root: state}, resources=listed, ids={root: root})
        nested = {
            entry["LogicalResourceId"]: entry["PhysicalResourceId"]
            for entry in listed
            if entry["ResourceType"] == _NESTED and entry.get("PhysicalResourceId")
        }
        members = {"": root, **nested, **{addon: addon for addon in addons}}
        states = each(members, lambda name: self._state(members[name]))
        there = {name: members[name] for name, state in states.items() if state is not None}
        resources: list[ResourceFacts] = []
        unread: list[NotRead] = []
        for name, entries in each(there, lambda name: self._resources(there[name])).items():
            if isinstance(entries, NotRead):
                unread.append(entries)
                continue
            resources += [
                _resource(name, entry) for entry in entries if entry["ResourceType"] != _NESTED
            ]
        return Family(
            states={
                _title(name, root, there[name]): state
                for name, state in states.items()
                if state is not None
            },
            resources=unread[0]
            if unread
            else tuple(each_one for each_one in resources if each_one.physical),
            templates=each(there, lambda name: self._template(there[name])),
            ids={_title(name, root, there[name]): there[name] for name in there},
        )

    def drift(
        self, ids: dict[str, str], *, is_asked: bool, wait: Callable[[float], None]
    ) -> ReadEach[DriftFacts]:
        """Return what is known of changes by others.

        Args:
            ids: The stacks, by name.
            is_asked: Whether CloudFormation is to look now; it takes a minute or two on AWS.
            wait: Lets seconds pass.
        """
        if is_asked:
            return each(ids, lambda name: self._detect(ids[name], wait))
        return each(ids, lambda name: self._last_drift(ids[name]))

    def _last_drift(self, stack: str) -> Read[DriftFacts]:
        found = attempt("cloudformation:DescribeStacks", lambda: self._describe(stack))
        told = found.get("DriftInformation", {}) if isinstance(found, dict) else {}
        if told.get("StackDriftStatus") == "DRIFTED":
            return self._changed(stack, "DRIFTED")
        return NotRead(_DRIFT_STEP)

    def _detect(self, stack: str, wait: Callable[[float], None]) -> Read[DriftFacts]:
        asked = attempt_there(
            "cloudformation:DetectStackDrift",
            lambda: self.client.detect_stack_drift(StackName=stack)["StackDriftDetectionId"],
            "the stack",
        )
        if isinstance(asked, NotRead):
            return asked
        for _ in range(_DRIFT_LOOKS):
            told = attempt_there(
                "cloudformation:DescribeStackDriftDetectionStatus",
                lambda: self.client.describe_stack_drift_detection_status(
                    StackDriftDetectionId=asked
                ),
                "the look for drift",
            )
            if isinstance(told, NotRead):
                return told
            if told["DetectionStatus"] == "DETECTION_FAILED":
                return NotRead(
                    f"CloudFormation could not look: {told.get('DetectionStatusReason', '')}"
                )
            if told["DetectionStatus"] == "DETECTION_COMPLETE":
                return self._changed(stack, told.get("StackDriftStatus", "UNKNOWN"))
            wait(2.0)
        return NotRead("CloudFormation still looks for drift; ask again later, without --drift")

    def _changed(self, stack: str, status: str) -> Read[DriftFacts]:
        if status != "DRIFTED":
            return DriftFacts(status=status)
        found = attempt_there(
            "cloudformation:DescribeStackResourceDrifts",
            lambda: self.client.describe_stack_resource_drifts(
                StackName=stack, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
            )["StackResourceDrifts"],
            "the stack",
        )
        if isinstance(found, NotRead):
            return DriftFacts(status=status)
        return DriftFacts(status=status, changed=tuple(_difference(entry) for entry in found))

    def _describe(self, stack: str) -> dict[str, Any]:
        (found,) = self.client.describe_stacks(StackName=stack)["Stacks"]
        return dict(found)

    def _state(self, stack: str) -> Read[StackFacts] | None:
        """Return a stack's state; None if there is no such stack."""
        found = attempt("cloudformation:DescribeStacks", lambda: self._describe(stack))
        if isinstance(found, NotRead) and "ValidationError" in found.why:
            return None
        if found is None or isinstance(found, NotRead):
            return found
        status = str(found["StackStatus"])
        return StackFacts(status=status, why=() if status in WELL else self._reasons(stack))

    def _reasons(self, stack: str) -> tuple[str, ...]:
        found = attempt(
            "cloudformation:DescribeStackEvents",
            lambda: self.client.describe_stack_events(StackName=stack)["StackEvents"],
        )
        if found is None or isinstance(found, NotRead):
            return ()
        reasons = [
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in reversed(found)
            if event.get("ResourceStatus", "").endswith("FAILED")
            and event.get("ResourceStatusReason")
            and "cancelled" not in event["ResourceStatusReason"]
        ]
        return tuple(reasons[:_MOST_REASONS])

    def _resources(self, stack: str) -> Read[list[Any]]:
        return attempt_there(
            "cloudformation:ListStackResources",
            lambda: pages_of(
                self.client, "list_stack_resources", "StackResourceSummaries", StackName=stack
            ),
            f"stack {stack}",
        )

    def _template(self, stack: str) -> Read[Any]:
        found = attempt_there(
            "cloudformation:GetTemplate",
            lambda: self.client.get_template(StackName=stack, TemplateStage="Processed")[
                "TemplateBody"
            ],
            f"the template of {stack}",
        )
        # A template without a transform comes as it was written, in YAML as text.
        return NotRead(f"the template of {stack} is no JSON") if isinstance(found, str) else found


def _resource(stack: str, entry: dict[str, Any]) -> ResourceFacts:
    return ResourceFacts(
        stack=stack,
        logical=entry["LogicalResourceId"],
        kind=entry["ResourceType"],
        physical=entry.get("PhysicalResourceId", ""),
    )


def _title(name: str, root: str, stack: str) -> str:
    """Return what a stack is called: its own name, of a nested one out of its ARN."""
    return (stack.split("/")[1] if stack.startswith("arn:") else stack) if name else root


def _difference(entry: dict[str, Any]) -> str:
    if entry["StackResourceDriftStatus"] == "DELETED":
        return f"{entry['LogicalResourceId']} is gone"
    paths = [
        each_one["PropertyPath"].lstrip("/") for each_one in entry.get("PropertyDifferences", [])
    ]
    return f"{entry['LogicalResourceId']} ({', '.join(paths) or 'changed'})"
