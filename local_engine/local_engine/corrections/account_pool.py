"""Restore the account's pool of concurrency.

Stock ministack counts every execution against the account's limit, those of functions with a
reservation of their own, too, lets the others use what is reserved, and takes any reservation. Here
a reservation is its function's own, the others share what nobody has reserved, and a reservation
that would leave them too little is refused.

Source: Lambda Developer Guide, "Understanding Lambda function scaling", "Configuring reserved
concurrency for a function"; Lambda API reference, PutFunctionConcurrency, GetAccountSettings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from local_engine.account import DEFAULT_LIMIT, LIMIT_NAME, unreserved_floor
from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

    type Response = tuple[int, dict[str, str], bytes]

_LAMBDA_SVC = Seam("services.lambda_svc")
_FUNCTION, _ACCOUNT = "function", "account"
"""Ministack's words for what an invocation was refused by."""
_REFUSAL: Final = (
    "Specified ReservedConcurrentExecutions for function decreases account's "
    "UnreservedConcurrentExecution below its minimum value of [{floor}]."
)


def apply(_options: EngineOptions) -> None:
    """Count reserved and unreserved executions apart, and check reservations."""
    # What the machine bears: a limit of AWS's size must not let a function that calls itself fill its memory.
    machine_limit = int(_LAMBDA_SVC.replace(LIMIT_NAME, DEFAULT_LIMIT))
    stock_put = _LAMBDA_SVC["_put_function_concurrency"]

    def acquire(_func: dict[str, Any], config: dict[str, Any]) -> tuple[str | None, str | None]:
        return _acquire(config, machine_limit)

    def put(func_name: str, data: dict[str, Any]) -> Response:
        response: Response = _refusal(func_name, data) or stock_put(func_name, data)
        return response

    _LAMBDA_SVC.replace("_acquire_execution_slot", acquire)
    _LAMBDA_SVC.replace("_put_function_concurrency", put)


def _acquire(config: dict[str, Any], machine_limit: int) -> tuple[str | None, str | None]:
    """Take one unit of concurrency; return its key, or None and what refuses it."""
    key: str = _LAMBDA_SVC["_inflight_key"](config)
    function = str(config.get("FunctionName", "?"))
    scope = key.removesuffix(function)
    reserved = _reservations()
    # Of the function, whatever version or alias was asked for.
    own = reserved.get(function)
    with _LAMBDA_SVC["_inflight_lock"]:
        inflight: dict[str, int] = _LAMBDA_SVC["_inflight"]
        total = int(_LAMBDA_SVC["_inflight_total"])
        if own is not None and inflight.get(key, 0) >= own:
            return None, _FUNCTION
        if 0 < machine_limit <= total:
            return None, _ACCOUNT
        if own is None:
            shared = sum(
                count
                for name, count in inflight.items()
                if name.startswith(scope) and name.removeprefix(scope) not in reserved
            )
            if shared >= int(_LAMBDA_SVC[LIMIT_NAME]) - sum(reserved.values()):
                return None, _ACCOUNT
        inflight[key] = inflight.get(key, 0) + 1
        _LAMBDA_SVC.set("_inflight_total", total + 1)
    return key, None


def _reservations() -> dict[str, int]:
    """Return the reserved concurrency of the functions that have one, in the present region."""
    functions = _LAMBDA_SVC["_functions"]
    found = {name: functions[name].get("concurrency") for name in list(functions.keys())}
    return {name: int(reserved) for name, reserved in found.items() if reserved is not None}


def _refusal(function: str, data: dict[str, Any]) -> Response | None:
    """Return the refusal of a reservation that would leave the others too little."""
    reserved = _reservations()
    before, wanted = reserved.pop(function, 0), int(data.get("ReservedConcurrentExecutions", 0))
    limit = int(_LAMBDA_SVC[LIMIT_NAME])
    floor = unreserved_floor(limit)
    # One that takes nothing from the others is none of their business.
    if wanted <= before or limit - sum(reserved.values()) - wanted >= floor:
        return None
    error = _LAMBDA_SVC["error_response_json"]
    refusal: Response = error("InvalidParameterValueException", _REFUSAL.format(floor=floor), 400)
    return refusal
