"""Tell which permissions roles use, which stock ministack keeps to itself: IAM tells when each was used.

Source: IAM User Guide, "Refine permissions in AWS using last accessed information".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam
from local_engine.switches import PERMISSIONS

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_EVALUATOR = Seam("core.iam_evaluator")
_STS = Seam("services.sts")


def apply(_options: EngineOptions) -> None:
    """Note each decision about a role, once somebody has asked for it."""
    stock = _EVALUATOR["enforce"]

    def enforce(
        access_key_id: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        denied = stock(access_key_id, action, service, region, resource_arn, service_context)
        session = _STS["_sessions"].get(access_key_id) if PERMISSIONS.is_on else None
        if session is not None:
            role = str(session["Arn"]).split("/")[1]
            PERMISSIONS.note(role, action, resource_arn, is_allowed=denied is None)
        return denied

    _EVALUATOR.replace("enforce", enforce)
