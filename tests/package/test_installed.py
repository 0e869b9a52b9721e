"""What is installed is whole: alone, with its command, and with the oldest of what it allows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import pytest

from package.installation import ROOT, Installation
from reprise.version import __version__
from scripted_server import Answer, ScriptedServer
from strategies import CONTROL, ORDERS, envelope, zipped
from unit.cli.test_read_format import hadoop

if TYPE_CHECKING:
    from pathlib import Path

LINES: Final = (ROOT / "tests/events/capture-lines-0.1.0.jsonl").read_text().splitlines()
IMPORT_ALL: Final = """
import importlib, json, pkgutil, sys
found, missing = 0, {}
for package in sys.argv[1:]:
    walked = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    for module in walked:
        try:
            importlib.import_module(module.name)
            found += 1
        except ModuleNotFoundError as error:
            missing[module.name] = error.name
print(json.dumps([found, missing]))
"""
INVOKE: Final = """
import reprise
result = reprise.invoke("orders", '{"order": 1}', idempotency_key="order-1")
print(result.status_code, result.payload.decode(), result.function_error)
"""
COUNT_AND_REFUSE: Final = """
from reprise import metric
from reprise.errors import BadRecordError
from reprise.capturing.wire import decode_record
from reprise.telemetry import EmfMeter
meter = EmfMeter(stack="shop", targets=("orders",))
meter.count(metric.CAPTURED, target="orders")
meter.flush()
try:
    decode_record({"reprise": "one"})
except BadRecordError as error:
    print(error.reason)
"""
FILES: Final = """
from importlib.metadata import files
for file in sorted(files("reprise")):
    ours = file.parent.name.endswith(".dist-info") and file.name in {"METADATA", "entry_points.txt"}
    package = file.parts[0].startswith("reprise") or file.parts[0] == "local_engine"
    if ours or package and ".dist-info" not in file.parts[0] and file.suffix != ".pyc":
        print(file, file.hash)
"""


SCHEMA: Final = {"reprise_cli.capture_schema": "pydantic"}
"""What the extra `schema` brings, and some releases of what the command needs."""


def _import_all(installation: Installation, *packages: str) -> tuple[int, dict[str, str]]:
    done = installation.run("python", "-c", IMPORT_ALL, *packages)
    assert done.returncode == 0, done.stderr
    found, missing = json.loads(done.stdout)
    return found, missing


@pytest.fixture(params=["library", "oldest"])
def with_library(request: pytest.FixtureRequest) -> Installation:
    installation: Installation = request.getfixturevalue(request.param)
    return installation


@pytest.fixture(params=["command", "oldest"])
def with_command(request: pytest.FixtureRequest) -> Installation:
    installation: Installation = request.getfixturevalue(request.param)
    return installation


def test_every_module_of_the_library_finds_what_it_imports(with_library: Installation) -> None:
    found, missing = _import_all(
        with_library,
        "reprise",
        "reprise_batch",
        "reprise_letters",
        "reprise_replies",
        "reprise_schedules",
    )
    assert missing == {}
    assert found > 90


def test_every_module_of_the_command_finds_what_it_imports(with_command: Installation) -> None:
    found, missing = _import_all(with_command, "reprise_cli", "reprise_schedules_cli")
    assert missing.items() <= SCHEMA.items()
    assert found > 50


def test_every_module_of_the_local_engine_finds_what_it_imports(engine: Installation) -> None:
    found, missing = _import_all(engine, "local_engine", "reprise_cli")
    assert missing.items() <= SCHEMA.items()
    assert found > 100


def test_the_engine_is_whole_without_the_product(engine_alone: Installation) -> None:
    found, missing = _import_all(engine_alone, "local_engine")
    assert missing == {}
    assert found > 60
    assert engine_alone.run("python", "-c", "import reprise").returncode == 1
    assert engine_alone.run("reprise-local-engine", "--help").returncode == 0


def test_the_library_invokes_a_function(with_library: Installation) -> None:
    with ScriptedServer(Answer(body=b'{"sold": true}')) as server:
        done = with_library.run(
            "python",
            "-c",
            INVOKE,
            env={
                "AWS_REGION": "eu-west-1",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_ENDPOINT_URL": server.url,
                "REPRISE_TARGETS": ORDERS,
                "REPRISE_BUCKET": "bucket",
                "REPRISE_MAC_SECRET_ARN": "arn",
                "REPRISE_CALL_TIMEOUT_S": "30",
                "REPRISE_LEDGER_TABLE": "ledger",
            },
        )
    assert done.stdout.splitlines()[-1:] == ['200 {"sold": true} None'], done.stderr
    # A call with a key first asks the gate whether its target has a backlog: this server knows of none.
    calls = [one for one in server.requests if one.path.startswith("/2015-03-31/functions/")]
    (request,) = calls
    assert request.body == b'{"order": 1}'


def test_the_how_tos_example_runs(with_library: Installation) -> None:
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/howto/library.md").read_text(), re.DOTALL
    )
    (example,) = [block for block in blocks if "FakeClient" in block]
    test = "test_an_order_that_is_captured_comes_later"
    done = with_library.run("python", "-c", f"{example}\n{test}()\nprint('passed')")
    assert done.stdout == "passed\n", done.stderr


def test_metrics_have_their_dimensions_and_bad_records_their_reason(
    with_library: Installation,
) -> None:
    """What older releases of what the library needs do differently, without failing at import."""
    done = with_library.run("python", "-c", COUNT_AND_REFUSE)
    assert done.returncode == 0, done.stderr
    line, reason = done.stdout.splitlines()
    (directive,) = json.loads(line)["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["stack"], ["stack", "target"]]
    assert reason == "invalid_record"


def test_the_command_tells_the_one_version(with_command: Installation) -> None:
    done = with_command.run("reprise", "--version")
    assert (done.returncode, done.stdout) == (0, f"reprise {__version__}\n")
    told = with_command.run(
        "python", "-c", "import importlib.metadata as m; print(m.version('reprise'))"
    )
    assert told.stdout.strip() == __version__


@pytest.mark.parametrize("has_snappy", [False, True])
def test_the_command_reads_an_object(
    with_command: Installation, tmp_path: Path, *, has_snappy: bool
) -> None:
    path = tmp_path / "object"
    data = zipped(CONTROL) + zipped(envelope([*LINES, "not ours"]))
    path.write_bytes(hadoop(data) if has_snappy else data)
    done = with_command.run("reprise", "read", str(path))
    assert done.returncode == 0, done.stderr
    read = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    assert read == [json.loads(line)["id"] for line in LINES]


def test_without_the_command_the_version_is_told_and_the_next_step(library: Installation) -> None:
    assert library.run("reprise", "--version").stdout == f"reprise {__version__}\n"
    done = library.run("reprise", "read", "object")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("pip install '.[cli]'")


def test_the_sdist_makes_the_same_wheel(command: Installation, library: Installation) -> None:
    """The command was installed from the one, the library from the other."""
    from_sdist, from_tree = (each.run("python", "-c", FILES).stdout for each in (command, library))
    assert from_sdist == from_tree
    assert len(from_tree.splitlines()) > 200


def test_the_licences_are_in_the_wheel(library: Installation) -> None:
    licences = sorted(library.folder.glob("lib/*/site-packages/reprise-*/licenses/**/*LICENSE"))
    assert [path.name for path in licences] == ["LICENSE", "uPlot.LICENSE"]
    assert licences[0].read_text() == (ROOT / "LICENSE").read_text()


def test_an_engine_of_an_installed_package_starts_and_stops(
    engine: Installation, tmp_path: Path
) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path)}
    up = engine.run("reprise", "local", "up", env=state)
    try:
        assert "export AWS_ENDPOINT_URL=http://127.0.0.1:" in up.stdout, up.stderr
        assert (tmp_path / "reprise" / "local" / "engine.json").is_file()
        status = engine.run("reprise", "local", "status", "--json", env=state)
        assert json.loads(status.stdout)["runtimes"]
        deploy = engine.run("reprise", "local", "deploy", env=state)
        assert deploy.stderr.startswith("error: template: is not in an installed package.")
    finally:
        engine.run("reprise", "local", "down", env=state)


def test_without_the_engine_its_command_says_what_to_install(
    with_command: Installation, tmp_path: Path
) -> None:
    done = with_command.run(
        "reprise",
        "local",
        "up",
        env={"XDG_STATE_HOME": str(tmp_path)},
    )
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1] == (
        "error: engine: is not installed. Add the extra local, in a checkout: "
        "pip install '.[cli,local]'"
    )


def test_the_page_has_the_runbooks_of_its_version(with_command: Installation) -> None:
    code = "from reprise_cli.page.runbooks import runbooks; print(len(runbooks({})['runbooks']))"
    done = with_command.run("python", "-c", code)
    assert done.stdout.strip() == str(len(list((ROOT / "docs/runbooks").glob("*.md")))), done.stderr
