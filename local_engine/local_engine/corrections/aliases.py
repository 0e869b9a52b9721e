"""Restore the alias in the ARN of a function that was invoked by one.

Stock ministack keeps it for callers of Invoke only: API Gateway, Step Functions and the other services
invoke the version behind the alias, under the ARN of that version.

Source: Lambda Developer Guide, "Using Lambda aliases in event sources and permissions policies", "Using the
Lambda context object": the ARN "indicates if the invoker specified a version number or alias".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

    type Record = dict[str, Any]

_LAMBDA_SVC = Seam("services.lambda_svc")
_UNQUALIFIED = 7
"""Parts of a function's ARN without a qualifier."""


def apply(_options: EngineOptions) -> None:
    """Name the alias wherever a function is looked up by one."""
    stock = _LAMBDA_SVC["_effective_func_record_for_qualifier"]

    def find(func: Record | None, qualifier: str | None) -> tuple[Record | None, Record | None]:
        record, config = stock(func, qualifier)
        if not func or not config or not qualifier or qualifier not in func.get("aliases", {}):
            return record, config
        arn = ":".join([*config["FunctionArn"].split(":")[:_UNQUALIFIED], qualifier])
        config = {**config, "FunctionArn": arn}
        return {**record, "config": config}, config

    _LAMBDA_SVC.replace("_effective_func_record_for_qualifier", find)
