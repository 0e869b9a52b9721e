"""All that was read of a deployed stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reprise_cli.doctor.read import NotRead, known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.doctor.policies import Allowances
    from reprise_cli.doctor.read import Read, ReadEach
    from reprise_cli.doctor.things import (
        AlarmFacts,
        DriftFacts,
        ExpiryFacts,
        FilterFacts,
        FunctionFacts,
        LambdaLimits,
        LayerFacts,
        MappingFacts,
        NotificationFacts,
        QueueFacts,
        ResourceFacts,
        RoleFacts,
        RuleFacts,
        SourceFacts,
        StackFacts,
        StreamFacts,
        TableFacts,
        TopicFacts,
    )

_NOT_UP = NotRead("the stack is not up, so nothing in it was read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the checks know. Of a stack that never came up only the first part is read."""

    stack: str
    region: str
    account: str
    command_version: str
    stacks: ReadEach[StackFacts]
    """By name: the root, its nested stacks, its add-ons."""
    is_up: bool = True
    clock_ahead_s: Read[float] = 0.0
    """How far this machine's clock is ahead of AWS's."""

    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    resources: Read[tuple[ResourceFacts, ...]] = _NOT_UP
    drift: ReadEach[DriftFacts] = field(default_factory=dict)
    limits: Read[LambdaLimits] = _NOT_UP
    key_state: Read[str | None] = None
    """State of the customer key; None if the stack has none."""

    log_groups: ReadEach[int | None] = field(default_factory=dict)
    """Days of retention by name; 0 for ever, None if the group is not there."""
    filters: ReadEach[tuple[FilterFacts, ...] | None] = field(default_factory=dict)
    """Of the groups that capture lines may come from; None if the group is not there."""
    own_filters: ReadEach[tuple[FilterFacts, ...] | None] = field(default_factory=dict)
    """Of the pipeline's own groups, which must have none of the stack's."""
    stream: Read[StreamFacts | None] = _NOT_UP
    notifications: Read[tuple[NotificationFacts, ...] | None] = _NOT_UP
    """None if the bucket is not there; and so the three that follow."""
    is_versioned: Read[bool | None] = _NOT_UP
    is_private: Read[bool | None] = _NOT_UP
    expiries: Read[tuple[ExpiryFacts, ...] | None] = _NOT_UP

    queues: ReadEach[QueueFacts | None] = field(default_factory=dict)
    """By name."""
    mappings: Read[tuple[MappingFacts, ...]] = _NOT_UP
    functions: ReadEach[FunctionFacts | None] = field(default_factory=dict)
    """The stack's own, by name."""
    roles: ReadEach[RoleFacts | None] = field(default_factory=dict)
    """By name."""
    layers: ReadEach[LayerFacts | None] = field(default_factory=dict)
    """Of callers, by ARN."""

    table: Read[TableFacts | None] = _NOT_UP
    policy: Read[str | None] = _NOT_UP
    """The policy document."""
    sources: Read[ReadEach[SourceFacts | None]] = _NOT_UP
    """By name."""
    targets: ReadEach[FunctionFacts | None] = field(default_factory=dict)
    """The functions of `Targets` that are named in full, by ARN."""

    alarms: Read[Mapping[str, AlarmFacts]] = _NOT_UP
    topic: Read[TopicFacts | None] = _NOT_UP
    rule: Read[RuleFacts | None] = _NOT_UP
    schedules: ReadEach[str | None] = field(default_factory=dict)
    """States of the schedules that start functions, by name."""
    metrics: ReadEach[float | None] = field(default_factory=dict)
    """Sums of the last day; None where there is no number."""

    callers: ReadEach[FunctionFacts | None] = field(default_factory=dict)
    """Functions that call through this stack, by name."""
    caller_roles: ReadEach[Allowances | None] = field(default_factory=dict)
    """By the caller's name."""
    asked: tuple[str, ...] = ()
    """Callers that were named by whoever asks."""
    callers_said: Read[str | None] = _NOT_UP
    """What the stack says to callers, JSON."""
    aliases: ReadEach[str | None] = field(default_factory=dict)
    """State of each front door's alias, by name: the version that it points to; None if there is none."""

    @property
    def partition(self) -> str:
        """Return AWS's partition, such as `aws-cn`."""
        parts = self.outputs.get("InvokerFunctionArn", "").split(":")
        return parts[1] if len(parts) > 1 else "aws"

    def of_kind(self, kind: str) -> list[ResourceFacts]:
        """Return the resources of a type.

        Raises:
            CannotTellError: If they could not be listed.
        """
        return [each for each in known(self.resources) if each.kind == kind]

    def physical(self, stack: str, logical: str) -> str | None:
        """Return the physical id of a resource; None if there is none.

        Raises:
            CannotTellError: If they could not be listed.
        """
        for each in known(self.resources):
            if (each.stack, each.logical) == (stack, logical):
                return each.physical
        return None
