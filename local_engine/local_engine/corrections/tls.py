"""Count a request on loopback as one over TLS, so that policies for TLS only let it in.

Stock ministack answers ``aws:SecureTransport`` by the scheme, and the engine speaks
plain HTTP: with IAM enforced, such a policy would deny every request, and the engine's
own deliveries.

Source: IAM User Guide, "AWS global condition context keys", aws:SecureTransport.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_EVALUATOR = Seam("core.iam_evaluator")
_APPLICATION = Seam("app")


def apply(_options: EngineOptions) -> None:
    """Say that every request came over TLS; keep what else is known of its origin."""
    origin = ContextVar("reprise_request_origin", default=("127.0.0.1", True))

    def pin(source_ip: str, _secure_transport: bool) -> None:  # noqa: FBT001 - ministack's signature
        origin.set((source_ip, True))

    _EVALUATOR.replace("_request_origin", origin)
    _EVALUATOR.replace("pin_request_origin", pin)
    _APPLICATION.replace("pin_request_origin", pin)
