"""Restore the permissions of Lambda's operations on concurrency: one for each.

Stock ministack, with IAM enforced, asks for ``lambda:PutFunctionConcurrency`` whether
concurrency is read, set or deleted, and for nothing where the account's is read.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS
Lambda"; Lambda API reference, GetFunctionConcurrency, GetAccountSettings.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_ACTIONS = Seam("core.iam_actions")
_PATHS = (
    (
        re.compile(r"/[0-9-]+/functions/[^/]+/concurrency/?"),
        {
            "GET": "lambda:GetFunctionConcurrency",
            "PUT": "lambda:PutFunctionConcurrency",
            "DELETE": "lambda:DeleteFunctionConcurrency",
        },
    ),
    (re.compile(r"/[0-9-]+/account-settings/?"), {"GET": "lambda:GetAccountSettings"}),
)


def apply(_options: EngineOptions) -> None:
    """Name the operation by its path and method."""
    stock = _ACTIONS["extract_iam_action"]

    def extract(service: str, method: str, path: str, *request: Any) -> str | None:
        if service == "lambda":
            for pattern, actions in _PATHS:
                if pattern.fullmatch(path):
                    return actions.get(method)
        action: str | None = stock(service, method, path, *request)
        return action

    _ACTIONS.replace("extract_iam_action", extract)
