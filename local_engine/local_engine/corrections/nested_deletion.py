"""Keep what a nested template retains when its stack is deleted.

Stock ministack heeds DeletionPolicy in root stacks, and deletes everything of a nested one.

Source: CloudFormation Template Reference, "DeletionPolicy attribute".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_PROVISIONERS = Seam("services.cloudformation.provisioners")
_STACKS = Seam("services.cloudformation.stacks")
_CLOUDFORMATION = Seam("services.cloudformation")
_RETAINING = {"Retain", "RetainExceptOnCreate"}


def apply(_options: EngineOptions) -> None:
    """Make a nested stack forget what it retains before ministack deletes the rest."""
    operations = _PROVISIONERS["_RESOURCE_HANDLERS"]["AWS::CloudFormation::Stack"]
    stock = operations["delete"]

    def delete(physical_id: str, properties: dict[str, Any]) -> None:
        name = _PROVISIONERS["_nested_stack_lookup_name"](physical_id)
        stack: dict[str, Any] = _CLOUDFORMATION["_stacks"].get(name) or {}
        # A stack that never came up keeps nothing: that is the exception in RetainExceptOnCreate.
        if stack.get("StackStatus", "").startswith(("CREATE_COMPLETE", "UPDATE_")):
            resources: dict[str, Any] = stack.get("_resources", {})
            for logical_id in [key for key in resources if _is_retained(stack, name, key)]:
                del resources[logical_id]
        stock(physical_id, properties)

    operations["delete"] = delete


def _is_retained(stack: dict[str, Any], name: str, logical_id: str) -> bool:
    template: dict[str, Any] = stack.get("_template") or {}
    policy = _STACKS["_resource_policy"](
        template.get("Resources", {}).get(logical_id),
        "DeletionPolicy",
        stack.get("_resources", {}),
        stack.get("_resolved_params", {}),
        stack.get("_conditions", {}),
        template.get("Mappings") or {},
        name,
        stack.get("StackId", ""),
    )
    return policy in _RETAINING
