"""Faults that tests plan: chosen calls fail, come late, or lose their answer.

A fault is data; the plan decides, under a seed, which call takes it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_engine.errors import error_answer
from local_engine.operations import SIGNING_NAMES, Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_engine.asgi import Answer


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to some calls of one operation."""

    service: str
    """Signing name or boto3's name of the service."""
    operation: str = "*"
    """Operation, such as ``SendMessage``; ``*`` is every one."""
    contains: str = ""
    """Text that the path or the body of the call must hold."""
    status: int = 0
    """HTTP status of the answer; 0 lets the call through, after the delay."""
    code: str = "InternalFailure"
    """Error code of the answer."""
    message: str = "a planned fault"
    fields: dict[str, Any] = field(default_factory=dict)
    """Further fields of a JSON answer, such as ``Reason``."""
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers of the answer, such as ``Retry-After``."""
    delay_s: float = 0.0
    """Wait before the call, or before its answer when ``after``."""
    after: bool = False
    """Whether the service does its work first and only its answer is lost."""
    cut: bool = False
    """Whether the service does its work, and the connection closes in the place of its answer."""
    times: int | None = None
    """How many calls take the fault; None is all."""
    probability: float = 1.0
    """Share of the calls that take it, drawn with ``seed``."""
    seed: int = 0
    hits: int = 0
    """How many calls took it so far."""
    _draws: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Start the fault's own sequence of draws."""
        self._draws = random.Random(self.seed)  # noqa: S311 - a test's plan
        self.service = SIGNING_NAMES.get(self.service, self.service)

    def describe(self) -> dict[str, Any]:
        """Return the fault as JSON."""
        names = [name for name in self.__slots__ if not name.startswith("_")]
        return {name: getattr(self, name) for name in names}

    def takes(self, operation: Operation, text: str) -> bool:
        """Tell whether a call takes the fault, and count it."""
        if operation.service != self.service or self.operation not in {"*", operation.name}:
            return False
        if self.contains not in text or (self.times is not None and self.hits >= self.times):
            return False
        if self._draws.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def answer(self) -> Answer:
        """Return the answer in the service's protocol."""
        return error_answer(
            self.service,
            self.status,
            self.code,
            self.message,
            fields=self.fields,
            headers=self.headers,
        )


class FaultPlan:
    """The faults in force, the oldest first."""

    def __init__(self) -> None:
        """Start with none."""
        self._faults: list[Fault] = []

    def __bool__(self) -> bool:
        """Tell whether any fault is in force."""
        return bool(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        """Go through the faults."""
        return iter(self._faults)

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Take all faults back."""
        self._faults.clear()

    def choose(self, operation: Operation, text: str) -> Fault | None:
        """Return the first fault the call takes."""
        return next((fault for fault in self._faults if fault.takes(operation, text)), None)
