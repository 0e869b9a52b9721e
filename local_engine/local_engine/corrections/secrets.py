"""Restore AWS::SecretsManager::Secret: what Ref gives, what a generated value holds.

Stock ministack's Ref gives the name where CloudFormation gives the ARN, and the
generated value ignores everything but its length and ExcludeCharacters.

Source: CloudFormation Template Reference, AWS::SecretsManager::Secret, "Return
values", "GenerateSecretString".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

    type Properties = dict[str, Any]

_PROVISIONERS = Seam("services.cloudformation.provisioners")
_SECRETS = Seam("services.secretsmanager")
_TYPE = "AWS::SecretsManager::Secret"


def apply(_options: EngineOptions) -> None:
    """Make the ARN the physical id, and generate through the service's own operation."""
    handlers: dict[str, Any] = _PROVISIONERS["_RESOURCE_HANDLERS"][_TYPE]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def create_secret(
        logical_id: str, properties: Properties, stack_name: str
    ) -> tuple[str, dict[str, Any]]:
        _, attributes = create(logical_id, properties, stack_name)
        return attributes["Id"], attributes

    def update_secret(
        physical_id: str,
        old: Properties,
        new: Properties,
        stack_name: str,
        logical_id: str | None = None,
    ) -> tuple[str, dict[str, Any]]:
        _, attributes = update(_name_of(physical_id), old, new, stack_name, logical_id)
        return attributes["Id"], attributes

    def delete_secret(physical_id: str, properties: Properties) -> None:
        delete(_name_of(physical_id), properties)

    handlers.update(create=create_secret, update=update_secret, delete=delete_secret)
    _PROVISIONERS.replace("_sm_secret_string", _secret_string)


def _name_of(physical_id: str) -> str:
    for name, secret in _SECRETS["_secrets"].items():
        if secret["ARN"] == physical_id:
            return str(name)
    return physical_id


def _secret_string(properties: Properties) -> str:
    """Return the value a template asks for.

    Raises:
        ValueError: If the service refuses the generation's settings.
    """
    generate = properties.get("GenerateSecretString")
    if not generate or properties.get("SecretString"):
        return str(properties.get("SecretString") or "")
    flags = {key: _typed(value) for key, value in generate.items()}
    status, _, body = _SECRETS["_get_random_password"](flags)
    answer = json.loads(body)
    if status >= 400:  # noqa: PLR2004
        raise ValueError(answer.get("message", "the secret cannot be generated"))
    password: str = answer["RandomPassword"]
    template = generate.get("SecretStringTemplate")
    if not template:
        return password
    return json.dumps({**json.loads(template), generate["GenerateStringKey"]: password})


def _typed(value: object) -> object:
    """Return numbers and booleans of a template, which may be written as text."""
    if isinstance(value, str):
        if value.isdigit():
            return int(value)
        return {"true": True, "false": False}.get(value.lower(), value)
    return value
