"""Restore the properties of AWS::Lambda::Function that CloudFormation drops here.

Stock ministack's API honours ReservedConcurrentExecutions, DeadLetterConfig and
RecursiveLoop, but its CloudFormation ignores them, and leaves the environments of
a deleted function running.

Source: CloudFormation Template Reference, AWS::Lambda::Function.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

    type Properties = dict[str, Any]

_PROVISIONERS = Seam("services.cloudformation.provisioners")
_LAMBDA_SVC = Seam("services.lambda_svc")
_TYPE = "AWS::Lambda::Function"


def apply(_options: EngineOptions) -> None:
    """Add the dropped properties to create and update, and end environments on delete."""
    handlers: dict[str, Any] = _PROVISIONERS["_RESOURCE_HANDLERS"][_TYPE]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def create_function(
        logical_id: str, properties: Properties, stack_name: str
    ) -> tuple[str, dict[str, Any]]:
        name, attributes = create(logical_id, properties, stack_name)
        _set_properties(name, properties)
        return name, attributes

    def update_function(
        physical_id: str,
        old: Properties,
        new: Properties,
        stack_name: str,
        logical_id: str | None = None,
    ) -> tuple[str, dict[str, Any]]:
        name, attributes = update(physical_id, old, new, stack_name, logical_id)
        _set_properties(name, new)
        return name, attributes

    def delete_function(physical_id: str, properties: Properties) -> None:
        delete(physical_id, properties)
        _LAMBDA_SVC["invalidate_worker"](physical_id)

    handlers.update(create=create_function, update=update_function, delete=delete_function)
    # The replacement path of an update calls these by name.
    _PROVISIONERS.replace("_lambda_create", create_function)
    _PROVISIONERS.replace("_lambda_delete", delete_function)


def _set_properties(name: str, properties: Properties) -> None:
    """Set what the template says, or the default of what it does not say."""
    reserved = properties.get("ReservedConcurrentExecutions")
    if reserved is None:
        _LAMBDA_SVC["_delete_function_concurrency"](name)
    else:
        _expect_success(
            _LAMBDA_SVC["_put_function_concurrency"](
                name, {"ReservedConcurrentExecutions": int(reserved)}
            )
        )
    loop = properties.get("RecursiveLoop") or "Terminate"
    _expect_success(_LAMBDA_SVC["_put_function_recursion_config"](name, {"RecursiveLoop": loop}))
    config = _LAMBDA_SVC["_functions"][name]["config"]
    if properties.get("DeadLetterConfig"):
        config["DeadLetterConfig"] = properties["DeadLetterConfig"]
    else:
        config.pop("DeadLetterConfig", None)


def _expect_success(response: tuple[int, object, bytes]) -> None:
    """Make an API refusal a failed resource.

    Raises:
        ValueError: With the API's message; CloudFormation shows it as the reason.
    """
    status, _, body = response
    if status >= 400:  # noqa: PLR2004
        message = json.loads(body).get("message", body.decode())
        raise ValueError(message)
