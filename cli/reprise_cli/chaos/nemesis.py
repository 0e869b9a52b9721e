"""What is done to a system while a chaos run goes on: each nemesis, what it does, and how it is undone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_lambda import LambdaClient

    from local_engine.control import Engine

_FREEZE_S: Final = (1.0, 6.0)
_TRIES: Final = 40
_PAUSE_S: Final = 0.02
CONCURRENCY: Final = 8
"""Of the target, where its concurrency is changed and nobody named another."""


class Nemesis(Protocol):
    """One way to disturb a system."""

    def begin(self) -> str:
        """Begin, and say what was done; empty if nothing yet."""

    def strike(self, chance: random.Random, /) -> str:
        """Do it once more, and say what was done; empty if there is nothing to repeat."""

    def hits(self) -> int:
        """Return how often it has met anything: one that never did shows nothing."""

    def heal(self) -> None:
        """Undo all of it; also if it did not begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemUnderTest:
    """What there is to disturb."""

    engine: Engine | None
    """The local engine, if the run goes to one whose owner this is."""
    functions: LambdaClient
    pipeline: tuple[str, ...]
    """Functions of the stack."""
    target: str
    ledger_table: str
    concurrency: int = CONCURRENCY
    """Reserved concurrency of the target in this run."""

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Ask the engine's owner's paths."""
        assert self.engine is not None  # noqa: S101 - whoever asks was refused without one
        return self.engine.admin(method, path, body)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSwitch:
    """Something that is on or off."""

    system: SystemUnderTest
    path: str
    bodies: Sequence[Mapping[str, object]] = ({},)
    renewed: tuple[str, ...] = ()
    """Functions whose idle environments end: the switch tells in new ones only."""

    def begin(self) -> str:
        """Switch it on."""
        for body in self.bodies:
            self.system.ask("POST", self.path, body)
        self._renew()
        return f"{self.path} {list(self.bodies)}"

    def strike(self, _chance: random.Random, /) -> str:
        """Leave it on."""
        return ""

    def hits(self) -> int:
        """Return what the engine has counted."""
        answer = self.system.ask("GET", self.path)
        own = (
            fault
            for fault in answer.get("faults", [answer])
            if any(body.items() <= fault.items() for body in self.bodies)
        )
        return sum(fault["hits"] for fault in own)

    def heal(self) -> None:
        """Switch it off."""
        self.system.ask("DELETE", self.path)
        self._renew()

    def _renew(self) -> None:
        for function in self.renewed:
            self.system.ask("POST", "kill", {"function": function, "idle": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFaults:
    """Something that is done to one function after the other, in the middle of what it does."""

    system: SystemUnderTest
    path: str
    victims: tuple[str, ...]
    is_frozen: bool = False
    met: list[int] = field(default_factory=list)
    """How many environments each strike met."""
    pause: Callable[[float], None] = time.sleep

    def begin(self) -> str:
        """Wait for the first fault."""
        return ""

    def strike(self, chance: random.Random, /) -> str:
        """Do it to whatever of one function is busy."""
        function = chance.choice(self.victims)
        more = {"busy_s": round(chance.uniform(*_FREEZE_S), 1)} if self.is_frozen else {}
        hit, tries = 0, _TRIES
        while not hit and tries:
            # Functions are busy for milliseconds: it takes some tries to meet one at work.
            answer = self.system.ask("POST", self.path, {"function": function, **more})
            (hit,) = answer.values()
            tries -= 1
            if not hit:
                self.pause(_PAUSE_S)
        self.met.append(hit)
        return f"{hit} of {function} {more or ''}".strip() if hit else ""

    def hits(self) -> int:
        """Return how many environments were met."""
        return sum(self.met)

    def heal(self) -> None:
        """Leave it: the dead are replaced, and the frozen go on by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyChanges:
    """The target's reserved concurrency goes up and down."""

    system: SystemUnderTest
    settings: list[int] = field(default_factory=list)

    def begin(self) -> str:
        """Wait for the first change."""
        return ""

    def strike(self, chance: random.Random, /) -> str:
        """Set another; a third of the time none."""
        most = self.system.concurrency
        chosen = chance.choice((0, chance.randint(1, most), most))
        self._reserve(chosen)
        self.settings.append(chosen)
        return f"concurrency {chosen}"

    def hits(self) -> int:
        """Return how often it was set."""
        return len(self.settings)

    def heal(self) -> None:
        """Give back the run's own; what was there before it comes back with its end."""
        self._reserve(self.system.concurrency)

    def _reserve(self, concurrency: int) -> None:
        self.system.functions.put_function_concurrency(
            FunctionName=self.system.target, ReservedConcurrentExecutions=concurrency
        )
