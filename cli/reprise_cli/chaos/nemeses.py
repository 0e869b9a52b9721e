"""The nemeses, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise_cli.chaos.nemesis import ConcurrencyChanges, EngineSwitch, FunctionFaults
from reprise_cli.exits import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reprise_cli.chaos.nemesis import Nemesis, SystemUnderTest

_SHARE: Final = 0.1
"""Of the answers that are lost."""
_THROTTLED: Final = 0.3
_REFUSED: Final = 0.7
_AGAIN: Final = 0.3
_SKEW_S: Final = 10.0


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
            f"{strangers[0]} is for the local engine only: AWS lets nobody do that",
            f"Start it with `reprise local up`, or ask for {', '.join(_ANYWHERE)}",
        )
    return {name: (_ON_ENGINE | _ANYWHERE)[name](system) for name in names}
