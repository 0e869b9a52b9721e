"""Processes of functions: how one is started, with which environment, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")

#: One thread that lives as long as the engine: the kernel sends the death signal
#: of PR_SET_PDEATHSIG when the *thread* that started the process ends.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reprise-spawner")

_LAMBDA_SVC = Seam("services.lambda_svc")


class FunctionProcess(subprocess.Popen[bytes]):
    """A function's process, which always ends together with its children."""

    def terminate(self) -> None:
        """Kill the whole process group, as Lambda ends an environment."""
        self.kill()

    def kill(self) -> None:
        """Kill the whole process group."""
        if self.poll() is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                super().kill()


def start_process(
    *, interpreter: str, code_dir: Path, layers_dir: Path, environment: Mapping[str, str]
) -> FunctionProcess:
    """Start the bootstrap under a function's interpreter, output on one pipe."""
    command = [interpreter, str(_BOOTSTRAP), str(code_dir), str(layers_dir), str(os.getpid())]
    return _spawner.submit(
        FunctionProcess,
        command,
        cwd=code_dir,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ).result()


def function_environment(
    config: Mapping[str, Any], *, code_dir: Path, api: str, endpoint: str, log_stream: str
) -> dict[str, str]:
    """Return the variables a function sees: Lambda's documented ones and its own.

    Source: Lambda Developer Guide, "Defined runtime environment variables".
    """
    region = str(config["FunctionArn"]).split(":")[3]
    logging_config = config.get("LoggingConfig") or {}
    name = config["FunctionName"]
    own: dict[str, str] = _LAMBDA_SVC["_runtime_env_vars"](config)
    environment = {
        "PATH": os.defpath,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "LAMBDA_TASK_ROOT": str(code_dir),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
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
        "AWS_ENDPOINT_URL": endpoint,
        **_LAMBDA_SVC["execution_credentials"](config),
    }
    if logging_config.get("LogFormat") == "JSON":
        environment["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        environment["AWS_LAMBDA_LOG_LEVEL"] = logging_config.get("ApplicationLogLevel", "INFO")
    return environment


def describe_exit(process: FunctionProcess) -> str:
    """Return Lambda's words for how a process ended."""
    try:
        code = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return "Runtime exited without providing a reason"
    if code < 0:
        name = signal.strsignal(-code) or str(-code)
        return f"Runtime exited with error: signal: {name.lower()}"
    if code == 0:
        return "Runtime exited without providing a reason"
    return f"Runtime exited with error: exit status {code}"
