"""Processes of functions: how one is started, with which environment, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
"""The runtime of Python functions."""
NODE_BOOTSTRAP = BOOTSTRAP.with_suffix(".mjs")
"""The runtime of Node.js functions."""
_LAUNCH = Path(__file__).with_name("launch.py")
_PLAIN = 2
"""Words of a command that is an interpreter and the bootstrap, which ties itself."""

#: One thread that lives as long as the engine: the kernel sends the death signal
#: of PR_SET_PDEATHSIG when the *thread* that started the process ends.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reprise-spawner")

_LAMBDA_SVC = Seam("services.lambda_svc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a function's environment comes from."""

    command: tuple[str, ...]
    """What starts its runtime."""
    code_dir: Path
    """What AWS has at ``/var/task``."""
    layers_dir: Path
    """What AWS has at ``/opt``."""
    endpoint: str
    """Address of the engine."""

    def find(self, path: str) -> Path:
        """Return where a file is that AWS has at this path."""
        for prefix, folder in (("/opt/", self.layers_dir), ("/var/task/", self.code_dir)):
            if path.startswith(prefix):
                return folder / path.removeprefix(prefix)
        return self.code_dir / path


class FunctionProcess(subprocess.Popen[bytes]):
    """A function's process, which always ends together with its children."""

    is_warned = False
    """Whether it is told before it ends, as the runtime is where an extension registered."""

    def terminate(self) -> None:
        """End the whole process group, as Lambda ends an environment."""
        self.signal_group(signal.SIGTERM if self.is_warned else signal.SIGKILL)

    def kill(self) -> None:
        """Kill the whole process group."""
        self.signal_group(signal.SIGKILL)

    def signal_group(self, number: int) -> None:
        """Send a signal to the whole process group, if the process runs."""
        if self.poll() is None:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                super().send_signal(number)


def start_process(
    command: Sequence[str], *, directory: Path, environment: Mapping[str, str]
) -> FunctionProcess:
    """Start a program of an environment, output on one pipe; it ends with the engine."""
    engine_pid = str(os.getpid())
    environment = dict(environment)
    if command[-1] == str(BOOTSTRAP) and len(command) == _PLAIN:
        environment["_ENGINE_PID"] = engine_pid
    else:
        command = [sys.executable, "-I", "-S", str(_LAUNCH), engine_pid, *command]
    return _spawner.submit(
        FunctionProcess,
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ).result()


def function_environment(
    config: Mapping[str, Any], place: Place, *, api: str, log_stream: str
) -> dict[str, str]:
    """Return the variables a function sees: Lambda's documented ones and its own.

    Source: Lambda Developer Guide, "Defined runtime environment variables".
    """
    region = str(config["FunctionArn"]).split(":")[3]
    logging_config = config.get("LoggingConfig") or {}
    name = config["FunctionName"]
    own: dict[str, str] = _LAMBDA_SVC["_runtime_env_vars"](config)
    environment = {
        "PATH": f"{os.defpath}:{place.layers_dir}/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "LAMBDA_TASK_ROOT": str(place.code_dir),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        **_module_path(str(config["Runtime"]), place),
        **own,
        "_HANDLER": config["Handler"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_LOG_GROUP_NAME": logging_config.get("LogGroup") or f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": api,
        # boto3 in the function reaches this engine and nothing else.
        "AWS_ENDPOINT_URL": place.endpoint,
        **_LAMBDA_SVC["execution_credentials"](config),
    }
    if str(BOOTSTRAP) in place.command:
        environment["_ENGINE_LAYERS_DIR"] = str(place.layers_dir)
    if not config["Runtime"].startswith("provided"):
        environment["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{config['Runtime']}"
    if logging_config.get("LogFormat") == "JSON":
        environment["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        environment["AWS_LAMBDA_LOG_LEVEL"] = logging_config.get("ApplicationLogLevel", "INFO")
    return environment


def _module_path(runtime: str, place: Place) -> dict[str, str]:
    """Return where Node.js looks for modules beside the function's own."""
    if not runtime.startswith("nodejs"):
        return {}
    folder = place.layers_dir / "nodejs"
    major = runtime.removeprefix("nodejs").removesuffix(".x")
    return {"NODE_PATH": f"{folder}/node{major}/node_modules:{folder}/node_modules"}


def describe_exit(process: FunctionProcess, *, is_runtime: bool) -> dict[str, str]:
    """Return Lambda's error for how a process of an environment ended."""
    try:
        code = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        code = 0
    how = f"exit status {code}"
    if code < 0:
        how = f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    if not is_runtime:
        return {"errorType": "Extension.Crash", "errorMessage": how if code else "exit code 0"}
    message = "without providing a reason" if code == 0 else f"with error: {how}"
    return {"errorType": "Runtime.ExitError", "errorMessage": f"Runtime exited {message}"}
