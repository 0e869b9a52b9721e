"""Let a nested stack be updated: what does not change keeps its attributes.

Stock ministack forgets the attributes of a nested stack's resource when an update leaves the resource as it
is, and then refuses every reference to one.

Source: CloudFormation User Guide, "Update behaviors of stack resources"; Template Reference, "Fn::GetAtt".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_PROVISIONERS = Seam("services.cloudformation.provisioners")
_CLOUDFORMATION = Seam("services.cloudformation")


def apply(_options: EngineOptions) -> None:
    """Tell the update of a nested stack's resource what its attributes were.

    Only nested stacks look the function up here; root stacks imported it by name, and tell.
    """
    stock = _PROVISIONERS["_update_resource"]

    def update(
        resource_type: str,
        physical_id: str,
        old: dict[str, Any],
        new: dict[str, Any],
        stack_name: str,
        logical_id: str,
    ) -> tuple[str, dict[str, Any]]:
        stack = _CLOUDFORMATION["_stacks"][stack_name]
        known: dict[str, Any] = stack["_resources"][logical_id].get("Attributes", {})
        new_id, attributes = stock(resource_type, physical_id, old, new, stack_name, logical_id)
        return new_id, attributes if new_id != physical_id else {**known, **attributes}

    _PROVISIONERS.replace("_update_resource", update)
