"""The built templates, as written, and with AWS::Serverless types expanded."""

from __future__ import annotations

import copy
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprise_release.templates import read_template

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / ".aws-sam" / "build"
ROOT = BUILD / "template.yaml"
ADDONS = {
    "schedules": REPOSITORY / ".aws-sam" / "schedules" / "build" / "template.yaml",
    "endpoint": REPOSITORY / ".aws-sam" / "endpoint" / "build" / "template.yaml",
    "replies": REPOSITORY / ".aws-sam" / "replies" / "build" / "template.yaml",
    # Nothing of it is built.
    "batch": REPOSITORY / "addons" / "batch" / "template.yaml",
}
"""What is deployed of each add-on."""
ADDON_SOURCES = sorted((REPOSITORY / "addons").glob("*/template.yaml"))
SOURCES = [REPOSITORY / "template.yaml", *sorted((REPOSITORY / "infra").glob("*.yaml"))]


@cache
def read(path: Path) -> dict[str, Any]:
    """Return a template as it is written."""
    assert path.exists(), f"{path} is missing: run `make build`"
    return read_template(path)


@cache
def _all_transformed() -> dict[str, Any]:
    """Expand every built template, with the translator of the SAM CLI's own environment."""
    paths = [*BUILD.rglob("template.yaml"), *ADDONS.values()]
    sources = {str(path): _as_packaged(read(path)) for path in paths}
    expanded = subprocess.run(
        [REPOSITORY / ".tools/sam/bin/python", Path(__file__).with_name("expand.py")],
        input=json.dumps(sources),
        env={"AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        check=True,
        text=True,
    )
    result: dict[str, Any] = json.loads(expanded.stdout)
    return result


def _as_packaged(template: dict[str, Any]) -> dict[str, Any]:
    """Return the template as `sam package` leaves it: folders of code have become objects."""
    packaged = copy.deepcopy(template)
    for resource in packaged["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = "s3://artefacts/" + resource["Properties"][name]
    return packaged


def transformed(path: Path) -> dict[str, Any]:
    """Return a built template with AWS::Serverless types expanded."""
    result: dict[str, Any] = _all_transformed()[str(path)]
    return result


def strings(value: object) -> Iterator[str]:
    """Yield every string in a value, keys too."""
    match value:
        case str():
            yield value
        case dict():
            for key, entry in value.items():
                yield from strings(key)
                yield from strings(entry)
        case list():
            for entry in value:
                yield from strings(entry)
        case _:
            pass
