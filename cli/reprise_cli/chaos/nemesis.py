"""What is done to a system while a chaos run goes on: each nemesis, what it does, and how it is undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from reprise_cli.exits import UsageError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_lambda import LambdaClient

    from local_engine.control import Engine

_FREEZE_S: Final = (1.0, 6.0)
_SHARE: Final = 0.1
"""Of the answers that are lost."""
_THROTTLED: Final = 0.3
_REFUSED: Final = 0.7
_AGAIN: Final = 0.3
_SKEW_S: Final = 30.0
CONCURRENCY: Final = 8
"""Of the target, where its concurrency is changed and nobody named another."""


class Nemesis(Protocol):
    """One way to disturb a system."""

    def begin(self) -> str:
        """Begin, and say what was done; empty if nothing yet."""

    def strike(self, chance: random.Random, /) -> str:
        """Do it once more, and say what was done; empty if there is nothing to repeat."""

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
        """EngineSwitch it on."""
        for body in self.bodies:
            self.system.ask("POST", self.path, body)
        self._renew()
        return f"{self.path} {list(self.bodies)}"

    def strike(self, _chance: random.Random, /) -> str:
        """Leave it on."""
        return ""

    def heal(self) -> None:
        """EngineSwitch it off."""
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

    def begin(self) -> str:
        """Wait for the first fault."""
        return ""

    def strike(self, chance: random.Random, /) -> str:
        """Do it to whatever of one function is busy."""
        function = chance.choice(self.victims)
        more = {"busy_s": round(chance.uniform(*_FREEZE_S), 1)} if self.is_frozen else {}
        answer = self.system.ask("POST", self.path, {"function": function, **more})
        (hit,) = answer.values()
        return f"{hit} of {function} {more or ''}".strip() if hit else ""

    def heal(self) -> None:
        """Leave it: the dead are replaced, and the frozen go on by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyChanges:
    """The target's reserved concurrency goes up and down."""

    system: SystemUnderTest

    def begin(self) -> str:
        """Wait for the first change."""
        return ""

    def strike(self, chance: random.Random, /) -> str:
        """Set another; a third of the time none."""
        most = self.system.concurrency
        chosen = chance.choice((0, chance.randint(1, most), most))
        self._reserve(chosen)
        return f"concurrency {chosen}"

    def heal(self) -> None:
        """Give back the run's own; what was there before it comes back with its end."""
        self._reserve(self.system.concurrency)

    def _reserve(self, concurrency: int) -> None:
        self.system.functions.put_function_concurrency(
            FunctionName=self.system.target, ReservedConcurrentExecutions=concurrency
        )


def _lost_answers(system: SystemUnderTest) -> Nemesis:
    # An answer of 500 says of an invocation that it did not run: there the connection closes.
    lost: dict[str, object] = {"status": 500, "after": True, "probability": _SHARE}
    bodies: tuple[dict[str, object], ...] = (
        {
            "service": "lambda",
            "operation": "Invoke",
            "contains": f"{system.target}/invocations",
            "cut": True,
            "probability": _SHARE,
        },
        {"service": "dynamodb", "contains": system.ledger_table, **lost},
        {"service": "sqs", **lost},
        {"service": "s3", **lost},
    )
    return EngineSwitch(system=system, path="faults", bodies=bodies)


def _throttled_tables(system: SystemUnderTest) -> Nemesis:
    body = {
        "service": "dynamodb",
        "contains": system.ledger_table,
        "status": 400,
        "code": "ProvisionedThroughputExceededException",
        "probability": _THROTTLED,
    }
    return EngineSwitch(system=system, path="faults", bodies=(body,))


def _refused_s3(system: SystemUnderTest) -> Nemesis:
    body = {"service": "s3", "status": 503, "code": "SlowDown", "probability": _REFUSED}
    return EngineSwitch(system=system, path="faults", bodies=(body,))


_ON_ENGINE: Final[dict[str, Callable[[SystemUnderTest], Nemesis]]] = {
    "kill": lambda system: FunctionFaults(system=system, path="kill", victims=system.pipeline),
    "freeze": lambda system: FunctionFaults(
        system=system, path="freeze", victims=(*system.pipeline, system.target), is_frozen=True
    ),
    "lose-answers": _lost_answers,
    "throttle-tables": _throttled_tables,
    "refuse-s3": _refused_s3,
    "stop-logs": lambda system: EngineSwitch(system=system, path="log-path"),
    "deliver-twice": lambda system: EngineSwitch(
        system=system, path="deliveries", bodies=({"again": _AGAIN},)
    ),
    "skew-clocks": lambda system: EngineSwitch(
        system=system,
        path="clocks",
        bodies=({"skew_s": _SKEW_S},),
        renewed=(*system.pipeline, system.target),
    ),
}
RESIZE: Final = "change-concurrency"
_ANYWHERE: Final[dict[str, Callable[[SystemUnderTest], Nemesis]]] = {
    RESIZE: lambda system: ConcurrencyChanges(system=system),
}
NAMES: Final = (*_ON_ENGINE, *_ANYWHERE)


def read_names(text: str) -> tuple[str, ...]:
    """Return the nemeses that were asked for.

    Raises:
        UsageError: If there is none of a name.
    """
    names = tuple(name.strip() for name in text.split(","))
    if unknown := [name for name in names if name not in NAMES]:
        raise UsageError("--nemesis", f"there is no {unknown[0]!r}", f"Ask for {', '.join(NAMES)}")
    return tuple(dict.fromkeys(names))


def find_nemeses(names: Sequence[str], system: SystemUnderTest) -> dict[str, Nemesis]:
    """Return nemeses by name.

    Raises:
        UsageError: If one is for the local engine only, and the run goes elsewhere.
    """
    if system.engine is None and (strangers := [name for name in names if name in _ON_ENGINE]):
        raise UsageError(
            "--nemesis",
            f"AWS lets nobody {strangers[0]}: that is done on the local engine only",
            f"Start it with `reprise local up`, or ask for {', '.join(_ANYWHERE)}",
        )
    return {name: (_ON_ENGINE | _ANYWHERE)[name](system) for name in names}
