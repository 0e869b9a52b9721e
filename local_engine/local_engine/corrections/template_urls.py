"""Restore the TemplateURL that GetTemplate shows, so that ``sam delete`` works.

``sam deploy`` writes nested templates' addresses with the endpoint it was given;
``sam delete`` parses only addresses of S3 itself, and fails on stock ministack.

Source: aws-sam-cli 1.170.0, ``samcli.lib.utils.s3.parse_s3_url``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_HANDLERS = Seam("services.cloudformation.handlers")
_RESPONSES = Seam("core.responses")


def apply(options: EngineOptions) -> None:
    """Show addresses of S3 in the place of the engine's."""
    stock = _HANDLERS["_get_template"]

    def get_template(params: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = stock(params)
        public = f"https://s3.{_RESPONSES['get_region']()}.amazonaws.com/"
        changed = _to_bytes(body).replace(f"{options.url}/".encode(), public.encode())
        return status, headers, changed

    _HANDLERS.replace("_get_template", get_template)
    _HANDLERS.replace_entry("_ACTION_HANDLERS", "GetTemplate", get_template)


def _to_bytes(body: str | bytes) -> bytes:
    return body.encode() if isinstance(body, str) else body
