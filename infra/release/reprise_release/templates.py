"""The packaged template: what `sam build` made, as JSON files and zips in one folder that name each other.

`aws cloudformation package` and `sam deploy` take it as it is; infra/cdk and infra/terraform put its files
where they put files, and the addresses in the place of the names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from reprise_release.archive import pack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Which property of which type names a file beside the template.
NAMING: Final = {
    "AWS::CloudFormation::Stack": "TemplateURL",
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}
_OF_BUILD: Final = ("BuildMethod", "BuildArchitecture", "SamResourceId")
"""Metadata that only `sam build` reads."""


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as the functions that they stand for."""


def _read_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        scalar = loader.construct_scalar(node)
        return {name: scalar.split(".", 1) if suffix == "GetAtt" else scalar}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has no fourth kind
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _read_tag)


def read_template(path: Path) -> dict[str, Any]:
    """Return a template as it is written, its functions in their long form."""
    template: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a SafeLoader
    return template


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatePackage:
    """Writes templates and what they name into one folder."""

    folder: Path

    def add(self, built: Path, name: str, metadata: Mapping[str, Any] | None = None) -> None:
        """Write a built template, the templates nested in it and its code.

        Args:
            built: The template, in the folder that `sam build` made.
            name: File name without its ending.
            metadata: What the template's own is to have, too.
        """
        template = read_template(built)
        for logical_id, resource in template["Resources"].items():
            self._localise(logical_id, resource, built.parent)
        if metadata:
            template["Metadata"] = {**template.get("Metadata", {}), **metadata}
        target = self.folder / f"{name}.json"
        if target.exists():
            message = f"{target.name} would be written twice: two templates have one name"
            raise ValueError(message)
        target.write_text(json.dumps(template, indent=1) + "\n")

    def _localise(self, logical_id: str, resource: dict[str, Any], base: Path) -> None:
        if resource["Type"] == "AWS::Serverless::Application":
            # What SAM's transform makes of one. It bears an address that is an expression, as CDK's is.
            resource["Type"] = "AWS::CloudFormation::Stack"
            properties = resource["Properties"]
            resource["Properties"] = {"TemplateURL": properties.pop("Location"), **properties}
        if resource["Type"] not in NAMING:
            return
        named = NAMING[resource["Type"]]
        path = base / resource["Properties"][named]
        built_of = resource.get("Metadata", {})
        if resource["Type"] == "AWS::CloudFormation::Stack":
            name = f"{logical_id.lower()}.json"
            self.add(path, logical_id.lower())
        else:
            name = self._zip(path, built_of.get("BuildArchitecture"))
        resource["Properties"][named] = name
        kept = {key: value for key, value in built_of.items() if key not in _OF_BUILD}
        resource.pop("Metadata", None)
        if kept:
            resource["Metadata"] = kept

    def _zip(self, code: Path, architecture: str | None) -> str:
        """Return the name of the zip of a folder of code, and write it.

        Functions of one package share one, and so do the layers of root and add-ons: they are built apart, so
        that a build that is not reproducible fails here.
        """
        [stem] = [entry.name for entry in code.iterdir()]
        stem = {"python": "layer", "extensions": f"endpoint-{architecture}"}.get(stem, stem)
        made = pack(code, self.folder / f"{stem}.zip.new")
        target = self.folder / f"{stem}.zip"
        if target.exists() and target.read_bytes() != made.read_bytes():
            message = f"{target.name} would be two: {code} differs from what has that name"
            raise ValueError(message)
        made.replace(target)
        return target.name
