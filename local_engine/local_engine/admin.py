"""The engine's own paths, below ``/_reprise/``: health, faults, environments.

| Path | Does |
|---|---|
| ``GET health`` | versions, pid, runtimes, corrections |
| ``GET``, ``POST``, ``DELETE faults`` | show, plan (see ``Fault``), take back |
| ``GET environments`` | busy and idle environments of each function |
| ``GET``, ``POST``, ``DELETE account`` | the account's limit: show, set, back to AWS's default |
| ``GET``, ``POST``, ``DELETE schedules`` | clock of recurring schedules: show, set, back to the real one |
| ``GET``, ``POST``, ``DELETE log-path`` | lines lost between log group and Firehose: show, set, none again |
| ``POST freeze`` | ``{"function": name}`` stops its idle environments until their next call |
| ``POST kill`` | ``{"function": name, "idle": false}`` kills them, mid-invocation |
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from local_engine import account
from local_engine.faults import Fault, FaultPlan
from local_engine.log_path import LOG_PATH
from local_engine.runtime.environment import Environment
from local_engine.schedule_clock import CLOCK
from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAMBDA_RUNTIME = Seam("core.lambda_runtime")

PREFIX = "/_reprise/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """Answers of the engine's own paths."""

    health: dict[str, Any]
    plan: FaultPlan

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of an answer."""
        request: dict[str, Any] = json.loads(body) if body else {}
        status, answer = 200, {}
        match method, path.removeprefix(PREFIX):
            case "GET", "health":
                answer = self.health
            case "GET", "faults":
                answer = {"faults": [fault.describe() for fault in self.plan]}
            case "POST", "faults":
                status, answer = self._plan_fault(request)
            case "DELETE", "faults":
                self.plan.clear()
            case "GET" | "POST" | "DELETE", name if name in _SWITCHES:
                status, answer = _SWITCHES[name](method, request)
            case "GET", "environments":
                answer = _count_environments()
            case "POST", "freeze":
                answer = {"frozen": _freeze(request["function"])}
            case "POST", "kill":
                answer = {"killed": _kill(request["function"], idle=request.get("idle", False))}
            case _:
                status, answer = 404, {"message": f"no {method} {path}"}
        return status, answer

    def _plan_fault(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        try:
            fault = Fault(**request)
        except TypeError as error:
            return 400, {"message": str(error)}
        self.plan.add(fault)
        return 200, fault.describe()


def _set_clock(method: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if method == "GET":
        return 200, CLOCK.describe()
    return 200, CLOCK.set(**request) if method == "POST" else CLOCK.reset()


def _limit_account(method: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if method == "GET":
        return 200, account.describe()
    try:
        return 200, account.set_limit(**request) if method == "POST" else account.set_limit()
    except (TypeError, ValueError) as error:
        return 400, {"message": str(error)}


def _set_log_path(method: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if method == "GET":
        return 200, LOG_PATH.describe()
    try:
        return 200, LOG_PATH.set(**request)
    except (TypeError, ValueError) as error:
        return 400, {"message": str(error)}


_SWITCHES: Final = {
    "schedules": _set_clock,
    "account": _limit_account,
    "log-path": _set_log_path,
}


def _environments() -> Iterator[tuple[str, Any]]:
    """Yield the function name and the worker of every environment."""
    for key, pool in list(_LAMBDA_RUNTIME["_workers"].items()):
        for worker in list(pool):
            yield key.split(":")[2], worker


def _count_environments() -> dict[str, Any]:
    counts: dict[str, Any] = {}
    for name, worker in _environments():
        count = counts.setdefault(name, {"busy": 0, "idle": 0})
        count["busy" if worker.in_use else "idle"] += 1
    return counts


def _kill(function: str, *, idle: bool) -> int:
    killed = 0
    for name, worker in _environments():
        # An environment that is still starting has no process yet, and is not counted.
        if name == function and worker.in_use is not idle and worker.kill() is not False:
            killed += 1
    return killed


def _freeze(function: str) -> int:
    return sum(
        worker.freeze()
        for name, worker in _environments()
        if name == function and isinstance(worker, Environment) and not worker.in_use
    )
