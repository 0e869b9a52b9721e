"""The things of a stack as they were read, each with what the checks need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.doctor.policies import Allowances
    from reprise_cli.doctor.read import Read


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFacts:
    """One resource of a stack."""

    stack: str
    """Logical id of the nested stack that it is in, or the add-on's name; empty for the root."""
    logical: str
    kind: str
    """Type, such as `AWS::Lambda::Function`."""
    physical: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFacts:
    """How CloudFormation left a stack."""

    status: str
    why: tuple[str, ...] = ()
    """Why resources of it failed, as its events say; of a stack that is well, nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFacts:
    """What CloudFormation knows of a stack's resources having been changed by others."""

    status: str
    """`IN_SYNC`, `DRIFTED`, `NOT_CHECKED`, `UNKNOWN`."""
    changed: tuple[str, ...] = ()
    """Logical ids and what of them was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaLimits:
    """What Lambda allows the account in this region."""

    concurrent: int
    unreserved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterFacts:
    """One subscription filter of a log group."""

    name: str
    pattern: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """The Firehose stream."""

    status: str
    bucket: str
    """ARN of its bucket; and so the role's."""
    prefix: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationFacts:
    """What a bucket tells a queue."""

    queue: str
    """ARN."""
    prefix: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryFacts:
    """A rule that deletes objects of a bucket."""

    prefix: str
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """A queue."""

    arn: str
    url: str
    visibility_s: int
    retention_s: int
    messages: int
    dead_letters_to: str | None
    """ARN of the queue that messages go to which nobody could process."""
    policy: str
    """Its resource policy, JSON; empty if it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingFacts:
    """An event source mapping: what feeds a queue's messages to a function."""

    uuid: str
    state: str
    queue: str
    """ARN."""
    function: str
    """Name."""
    reports_failures: bool
    """Whether the function says which messages of a batch failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFacts:
    """A Lambda function: the stack's own, a target, or a caller."""

    arn: str
    role: str
    """ARN."""
    timeout_s: int
    runtime: str
    """Empty for a container image."""
    architecture: str
    layers: tuple[str, ...]
    """ARNs with versions."""
    environment: Mapping[str, str]
    """The variables that concern us, by name; no others."""
    state: str
    update: str
    """`Successful`, `InProgress` or `Failed`: its last update."""
    reserved: Read[int | None] = None
    """Reserved concurrency; None shares the account's."""
    recursion: Read[str | None] = None
    """`Allow` or `Terminate`; None if that was not asked."""
    in_vpc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """A version of a layer."""

    runtimes: tuple[str, ...]
    """Those that it says it works with; none says nothing. So the architectures."""
    architectures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFacts:
    """A role, and what the deployed template wants of it."""

    has: Allowances
    wanted: Allowances
    boundary: str | None = None
    """ARN of its permissions boundary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """The ledger."""

    status: str
    billing: str
    ttl_attribute: str | None
    """None if nothing expires."""
    has_recovery: bool
    """Point-in-time recovery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """Who signs, without any key."""

    problem: str = ""
    """Why nothing that it signs is believed."""
    current: str = ""
    """Name of the signing key."""
    names: tuple[str, ...] = ()
    """Names of all valid keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFacts:
    """A CloudWatch alarm."""

    state: str
    is_enabled: bool
    """Whether its actions are."""
    actions: tuple[str, ...]
    says: str
    """Its description, which names the runbook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFacts:
    """Who hears of incidents."""

    confirmed: int
    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacts:
    """An EventBridge rule."""

    state: str
    targets: tuple[str, ...]
    """ARNs."""
