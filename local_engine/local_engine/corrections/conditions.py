"""Restore functions inside CloudFormation conditions.

Stock ministack compares the unresolved object when a condition holds Fn::Sub,
Fn::Split, Fn::Join or Fn::FindInMap.

Source: CloudFormation Template Reference, "Condition functions"; cfn-lint 1.58.0,
the functions it allows inside Fn::Equals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_ENGINE = Seam("services.cloudformation.engine")
#: Modules that imported the function by name.
_USERS = ("changesets", "engine", "handlers", "stacks")
_VALUE_FUNCTIONS = {"Fn::FindInMap", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub"}


def apply(_options: EngineOptions) -> None:
    """Resolve the values of conditions before ministack compares them."""
    stock = _ENGINE["_evaluate_conditions"]

    def evaluate(template: dict[str, Any], parameters: dict[str, Any]) -> Any:
        mappings = template.get("Mappings") or {}

        def resolve(value: Any) -> Any:
            if isinstance(value, list):
                return [resolve(item) for item in value]
            if not isinstance(value, dict):
                return value
            if _VALUE_FUNCTIONS & value.keys():
                return _ENGINE["_resolve_refs"](value, {}, parameters, {}, mappings, "", "")
            return {name: resolve(item) for name, item in value.items()}

        resolved = resolve(template.get("Conditions") or {})
        return stock({**template, "Conditions": resolved}, parameters)

    for name in _USERS:
        Seam(f"services.cloudformation.{name}").replace("_evaluate_conditions", evaluate)
