"""A stack that misconfigurations are planted in, and what one of them is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from e2e.world import World

    type Undo = Callable[[], object]

TARGET: Final = "guest-doctor"
SHOP: Final = "doctor-shop"
"""A caller with the local endpoint's variable, a layer, a source and a role."""
SHOP_ROLE: Final = "doctor-shop-role"
ACCOUNT: Final = "000000000000"
TARGET_ARN: Final = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{TARGET}"


@dataclass
class Patient:
    """A stack of its own, that misconfigurations are planted in."""

    world: World
    name: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, service: str) -> Any:
        """Return a client of the account's owner."""
        if service not in self._clients:
            self._clients[service] = self.world.client(service)
        return self._clients[service]

    @property
    def bucket(self) -> str:
        return f"{self.name}-{ACCOUNT}-us-east-1"

    def url(self, queue: str) -> str:
        return str(self["sqs"].get_queue_url(QueueName=f"{self.name}-{queue}")["QueueUrl"])

    def set_alarm(self, alarm: str, state: str) -> None:
        self["cloudwatch"].set_alarm_state(
            AlarmName=f"{self.name}-{alarm}", StateValue=state, StateReason="a test"
        )

    def role_of(self, function: str) -> tuple[str, str, Any]:
        """Return the name of a function's role, of its own policy, and that policy."""
        found = self["lambda"].get_function_configuration(FunctionName=f"{self.name}-{function}")
        role = found["Role"].rpartition("/")[2]
        (policy,) = self["iam"].list_role_policies(RoleName=role)["PolicyNames"]
        got = self["iam"].get_role_policy(RoleName=role, PolicyName=policy)
        return role, policy, got["PolicyDocument"]


@dataclass(frozen=True, slots=True)
class Ailment:
    """One misconfiguration."""

    check: str
    """The one check that must find a problem."""
    says: str
    """What it must say, in part; and so the mend."""
    mend: str
    plant: Callable[[Patient], Undo]
    """Plants it, and returns what undoes it."""
    touches: str = ""
    """What no other may touch at the same time; each has its check for itself, too."""


def batches(ailments: Mapping[str, Ailment]) -> list[dict[str, Ailment]]:
    """Return them in as few parts as they can be planted in without hiding each other."""
    parts: list[dict[str, Ailment]] = []
    for name, ailment in ailments.items():
        marks = {ailment.check, ailment.touches or ailment.check}
        for part in parts:
            taken = {mark for each in part.values() for mark in (each.check, each.touches)}
            if not marks & taken:
                part[name] = ailment
                break
        else:
            parts.append({name: ailment})
    return parts
