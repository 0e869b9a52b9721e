"""Restore transforms in nested templates.

Stock ministack expands AWS::Serverless types in the root template only, and refuses
them in a template that an AWS::CloudFormation::Stack names.

Source: CloudFormation User Guide, "Overview of CloudFormation macros": macros of nested
stacks are expanded when the nested stack is created.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_ENGINE = Seam("services.cloudformation.engine")


def apply(_options: EngineOptions) -> None:
    """Transform a nested template when it is read.

    The handlers of root templates imported the parser by name and transform on their
    own; the nested stack's looks it up at each use, so only it meets this one.
    """
    stock = _ENGINE["_parse_template"]

    def parse(body: str) -> dict[str, Any]:
        template: dict[str, Any] = _ENGINE["_apply_transforms"](stock(body))
        error = getattr(template, "error", "")
        if error:
            raise ValueError(error)
        return template

    _ENGINE.replace("_parse_template", parse)
