"""What a cold start loads: neither pydantic nor boto3, and the core no AWS at all."""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "PATH": os.defpath,
    "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("shared", "functions")),
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "Reprise",
    "REPRISE_BUCKET": "bucket",
    "REPRISE_CAPTURE_LOG_GROUP": "stdout",
    "REPRISE_TARGETS": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
    "REPRISE_MAC_SECRET_ARN": "arn",
    "REPRISE_POLICY_PARAMETER": "/policy",
    "REPRISE_LEDGER_TABLE": "ledger",
    "REPRISE_REPLAY_QUEUE_URL": "https://sqs/replay",
    "REPRISE_DEAD_LETTER_QUEUE_URL": "https://sqs/dead",
    "REPRISE_CAPTURE_QUEUE_URL": "https://sqs/capture",
    "REPRISE_CAPTURE_DLQ_URL": "https://sqs/capture-dlq",
    "REPRISE_LOG_GROUPS": "/capture",
    "REPRISE_ACCOUNT_ID": "123456789012",
    "REPRISE_JOBS_QUEUE_URL": "https://sqs/jobs",
    "REPRISE_JOBS_DEAD_LETTER_QUEUE_URL": "https://sqs/jobs-dlq",
    "REPRISE_LETTER_JOBS_QUEUE_URL": "https://sqs/letter-jobs",
    "REPRISE_LETTER_JOBS_DLQ_URL": "https://sqs/letter-jobs-dlq",
    "REPRISE_REPLIES_QUEUE_URL": "https://sqs/replies",
    "REPRISE_REPLIES_DEAD_LETTER_QUEUE_URL": "https://sqs/replies-dlq",
    "REPRISE_WEBHOOK_SECRET_ARN": "arn",
    "REPRISE_REPLY_DESTINATIONS": "{}",
    "REPRISE_CALL_TIMEOUT_S": "60",
    "REPRISE_RETENTION_DAYS": "30",
    "REPRISE_DUE_S": "2700",
    "REPRISE_ALARMS": "dead-letters",
    "REPRISE_DASHBOARD_URL": "https://console/dashboard",
    "REPRISE_RUNBOOK_URL": "docs/runbooks",
}
OURS = """
import json, sys
import reprise
print(json.dumps(sorted(name for name in sys.modules if name.startswith("reprise"))))
"""
PLUGIN = """
import io, json, os, sys
import botocore.session
from botocore.awsrequest import AWSResponse

class Raw(io.BytesIO):
    def stream(self, **_):
        yield self.read()

before = set(sys.modules)
os.environ["BOTOCORE_EXPERIMENTAL__PLUGINS"] = "reprise=reprise.boto3_plugin"
os.environ["REPRISE_SOURCE"] = "web"
client = botocore.session.get_session().create_client("lambda", region_name="eu-west-1")
client.meta.events.register(
    "before-send", lambda **_: AWSResponse("", 200, {"content-length": "2"}, Raw(b"ok"))
)
assert client.invoke(FunctionName="orders", Payload=b"{}")["Payload"].read() == b"ok"
print(json.dumps(sorted(name for name in set(sys.modules) - before if not name.startswith("botocore"))))
"""
STATIONS = ("call", "capturing", "gate", "logreader", "monitor", "replay", "retry", "unpack")
SINGLE = ("dead_letter", "errors", "events", "ledger", "ports", "quarantine", "testing")
PROGRAM = """
import gc, importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
assert gc.isenabled(), "the collector stays off"
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def _loaded(*modules: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules],
        env=ENVIRONMENT,
        capture_output=True,
        check=True,
        text=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "module",
    [
        "invoker.handler",
        "schedules.runner",
        "schedules.warmer",
        "replayer.replayer",
        "replayer.unpacker",
        "replayer.observer",
        "replayer.reconciler",
        "replayer.letter_jobs",
        "replies.replier",
        "reprise.client",
        "reprise.decorator",
    ],
)
def test_what_runs_in_lambda_loads_neither_pydantic_nor_boto3(module: str) -> None:
    assert not {"pydantic", "boto3", "moto", "local_engine"} & _loaded(module)


def test_the_command_imports_of_the_engine_no_more_than_what_starts_it() -> None:
    """It starts it in an interpreter of its own, and runs without what the engine needs."""
    assert _imported("local_engine", "cli") == {"local_engine.control", "local_engine.key"}
    engine = ROOT / "local_engine" / "local_engine"
    for name in ("control", "key"):
        text = (engine / f"{name}.py").read_text()
        modules = re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)
        assert set(modules) <= {*sys.stdlib_module_names, "local_engine"}


def test_no_other_product_code_imports_the_engine_and_the_engine_none_of_it() -> None:
    for folder in ("shared", "functions", "infra"):
        assert _imported("local_engine", folder) == set()
    for package in ("reprise", "reprise_cli", "reprise_schedules_cli", "reprise_dashboard"):
        assert _imported(package, "local_engine/local_engine") == set()


def _imported(package: str, folder: str) -> set[str]:
    """Return what the code of a folder imports of a package."""
    wanted = re.compile(rf"^\s*(?:from|import) ({package}(?:\.\w+)?)(?!\w)", re.MULTILINE)
    sources = list((ROOT / folder).rglob("*.py"))
    assert len(sources) > 3
    return {name for path in sources for name in wanted.findall(path.read_text())}


def test_core_and_stages_load_no_aws() -> None:
    core = [
        ".".join(path.relative_to(ROOT / "shared").with_suffix("").parts)
        for folder in STATIONS
        for path in sorted((ROOT / "shared" / "reprise" / folder).glob("*.py"))
        if path.stem != "__init__"
    ]
    assert len(core) > 30
    loaded = _loaded("reprise", *(f"reprise.{name}" for name in SINGLE), *core)
    assert not {"pydantic", "boto3", "botocore", "aws_lambda_powertools"} & loaded


def test_the_package_alone_loads_nothing_of_the_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OURS],
        env=ENVIRONMENT,
        capture_output=True,
        check=True,
        text=True,
    )
    assert json.loads(done.stdout) == ["reprise", "reprise.version"]


def test_what_init_made_is_out_of_the_collectors_way() -> None:
    from reprise import cold_start  # noqa: PLC0415 - importing it is the point

    try:
        assert not gc.isenabled()
        cold_start.finish()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.enable()
        gc.unfreeze()
        sys.modules.pop("reprise.cold_start", None)


def test_a_success_through_the_plugin_loads_settings_and_nothing_of_the_kernel() -> None:
    """Every process of a caller pays for this, also one whose calls never fail."""
    done = subprocess.run(
        [sys.executable, "-c", PLUGIN],
        env=ENVIRONMENT,
        capture_output=True,
        check=True,
        text=True,
    )
    loaded = set(json.loads(done.stdout))
    assert {name for name in loaded if name.partition(".")[0] == "reprise"} == {
        "reprise",
        "reprise.boto3_plugin",
        "reprise.boto3_plugin.events",
        "reprise.boto3_plugin.exchange",
        "reprise.boto3_plugin.lazy_setup",
        "reprise.boto3_plugin.self_check",
        "reprise.call",
        "reprise.call.outcome",
        "reprise.errors",
        "reprise.printable",
        "reprise.settings",
        "reprise.version",
    }
    others = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert others <= {"reprise", "msgspec", "typing_extensions"}
