"""Update a nested stack whose resources stay as they are.

Stock ministack forgets what GetAtt gives of a resource of a nested stack that an update leaves alone, so
that the first one that refers to it fails, and the whole update with it.

Source: CloudFormation User Guide, "Understand update behaviors of stack resources".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_PROVISIONERS = Seam("services.cloudformation.provisioners")
_CLOUDFORMATION = Seam("services.cloudformation")


def apply(_options: EngineOptions) -> None:
    """Hand the update of a nested stack's resource the attributes that the resource has.

    Root stacks hand them on by themselves, by a name that they imported.
    """
    stock = _PROVISIONERS["_update_resource"]

    def update(  # noqa: PLR0913, PLR0917 - ministack's own
        resource_type: str,
        physical_id: str,
        old: dict[str, Any],
        new: dict[str, Any],
        stack_name: str,
        logical_id: str | None = None,
        attributes: dict[str, Any] | None = None,
    ) -> tuple[str, dict[str, Any]]:
        if attributes is None:
            stack: dict[str, Any] = _CLOUDFORMATION["_stacks"].get(stack_name) or {}
            attributes = stack.get("_resources", {}).get(logical_id, {}).get("Attributes")
        updated: tuple[str, dict[str, Any]] = stock(
            resource_type, physical_id, old, new, stack_name, logical_id, attributes
        )
        return updated

    _PROVISIONERS.replace("_update_resource", update)
