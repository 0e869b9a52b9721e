"""What `sam build` made: complete, small, and compiled."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from template.templates import ADDONS, BUILD, REPOSITORY, SOURCES, read

if TYPE_CHECKING:
    from template.deployment import Deployment

LAYER = BUILD / "RepriseLayer" / "python"
ADDON = ADDONS["schedules"].parent
REPLIES = ADDONS["replies"].parent
RUNTIME = REPOSITORY / ".tools" / "runtime" / "bin" / "python"
FOLDERS = {
    "invoker": (BUILD / "Invoker" / "InvokerFunction", "invoker"),
    "runner": (ADDON / "RunnerFunction", "schedules"),
    "warmer": (ADDON / "WarmerFunction", "schedules"),
    "replier": (REPLIES / "ReplierFunction", "replies"),
    "unpacker": (BUILD / "Replay" / "UnpackerFunction", "replayer"),
    "replayer": (BUILD / "Replay" / "ReplayerFunction", "replayer"),
    "letter-jobs": (BUILD / "Letters" / "LetterJobsFunction", "replayer"),
    "observer": (BUILD / "Observability" / "ObserverFunction", "replayer"),
    "reconciler": (BUILD / "Reconcile" / "ReconcilerFunction", "replayer"),
    "chaos-target": (BUILD / "Chaos" / "ChaosTargetFunction", "chaos_target"),
}
#: Bit 0: the hash decides. Bit 1, not set: nobody looks. PEP 552.
UNCHECKED_HASH = 0b01

IMPORT = """
import importlib, json, sys
sys.path[:0] = json.loads(sys.argv[1])
module, _, name = sys.argv[2].rpartition(".")
assert callable(getattr(importlib.import_module(module), name))
outside = [m.__name__ for m in list(sys.modules.values())
           if (getattr(m, "__file__", None) or "").startswith(sys.argv[3])]
assert not outside, outside
"""


def handler_path(folder: Path, layers: list[str]) -> str:
    """Return Lambda's order: the function's own code, then its layers."""
    return json.dumps([str(folder), *([str(LAYER)] if layers else [])])


@pytest.mark.parametrize("name", FOLDERS)
def test_handler_imports_with_nothing_but_the_runtime_the_layer_and_its_own_zip(
    full: Deployment, name: str
) -> None:
    function = full.function(name).properties
    folder, _ = FOLDERS[name]
    result = subprocess.run(
        [
            *(RUNTIME, "-I", "-c", IMPORT),
            handler_path(folder, function.get("Layers", [])),
            function["Handler"],
            str(REPOSITORY / "shared"),
        ],
        env=full.environment(name)
        | {
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_LAMBDA_FUNCTION_NAME": function["FunctionName"],
        },
        capture_output=True,
        check=False,
        text=True,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", FOLDERS)
def test_zip_holds_its_own_folder_only(name: str) -> None:
    folder, package = FOLDERS[name]
    assert [entry.name for entry in folder.iterdir()] == [package]


def test_layer_leaves_boto3_to_the_runtime() -> None:
    assert not {"boto3", "botocore", "s3transfer"} & {entry.name for entry in LAYER.iterdir()}


def test_layer_has_nothing_that_no_import_reaches() -> None:
    assert not [entry.name for entry in LAYER.iterdir() if entry.name in {"bin", "tests"}]


def test_layer_carries_the_extension_modules_of_every_runtime_and_architecture() -> None:
    parameters = read(SOURCES[0])["Parameters"]
    processors = {"x86_64": "x86_64", "arm64": "aarch64"}
    wanted = {
        f"cpython-{runtime.removeprefix('python').replace('.', '')}-{processors[architecture]}"
        for runtime in parameters["PythonRuntime"]["AllowedValues"]
        for architecture in parameters["Architecture"]["AllowedValues"]
    }
    modules: dict[str, set[str]] = {}
    for path in LAYER.rglob("*.so"):
        match = re.fullmatch(r"(.+)\.(cpython-\d+-\w+)-linux-gnu\.so", path.name)
        assert match, f"{path} is of another platform"
        modules.setdefault(match[1], set()).add(match[2])
    assert modules
    assert all(found == wanted for found in modules.values())


@pytest.mark.parametrize("root", [LAYER, *(folder for folder, _ in FOLDERS.values())], ids=str)
def test_every_module_is_compiled_and_the_byte_code_never_checked(root: Path) -> None:
    python = sys.version_info
    sources = [path for path in root.rglob("*.py") if is_importable(path)]
    assert sources
    for source in sources:
        compiled = Path(importlib.util.cache_from_source(str(source)))
        assert compiled.exists(), f"{source} has no byte code for {python.major}.{python.minor}"
        header = compiled.read_bytes()[:8]
        assert header[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(header[4:], "little") == UNCHECKED_HASH


def is_importable(path: Path) -> bool:
    """Leave out files whose folder is no package name, and so is never imported."""
    return "-" not in path.parent.name


@pytest.mark.parametrize(
    "layer", [LAYER, *(addon / "RepriseLayer" / "python" for addon in (ADDON, REPLIES))], ids=str
)
def test_built_package_is_the_source(layer: Path) -> None:
    for name in (
        "reprise",
        "reprise_batch",
        "reprise_letters",
        "reprise_replies",
        "reprise_schedules",
    ):
        source = REPOSITORY / "shared" / name
        for path in source.rglob("*.py"):
            built = layer / name / path.relative_to(source)
            assert built.read_bytes() == path.read_bytes(), f"{path} is not built: run `make build`"


def test_layer_is_far_below_lambdas_limit() -> None:
    """250 MB for function and layers: Lambda Developer Guide, "Lambda quotas"."""
    size_bytes = sum(path.stat().st_size for path in LAYER.rglob("*") if path.is_file())
    assert size_bytes < 60_000_000
