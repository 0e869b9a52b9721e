"""The launcher's options, and the environment ministack reads them from."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_engine.key import EngineKey

#: Locally a Firehose interval of 60 s passes in 1 s unless the caller says otherwise.
DEFAULT_TIME_SCALE = 1 / 60

#: Maps runtimes to interpreters: ``python3.13=/path/python`` (commas between), or one path.
RUNTIMES_VARIABLE = "REPRISE_RUNTIME_PYTHON"

_REPOSITORY = Path(__file__).resolve().parents[2]
_DEFAULT_RUNTIME = _REPOSITORY / ".tools" / "runtime" / "bin" / "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What one run of the engine was asked to be."""

    port: int
    """TCP port on 127.0.0.1."""
    state_dir: Path
    """Folder the engine owns: wiped at start and at stop."""
    time_scale: float = DEFAULT_TIME_SCALE
    """Factor on waits inside services (Firehose interval, batching window); 0 is at once."""
    auth: bool = False
    """Whether IAM is enforced."""
    stock: bool = False
    """Whether ministack runs without corrections and without the guard, to prove the canaries."""
    key: EngineKey
    """The key of this run."""
    runtimes: dict[str, str] = field(default_factory=dict)
    """Interpreter of each Lambda runtime."""

    @property
    def url(self) -> str:
        """Address of the engine."""
        return f"http://127.0.0.1:{self.port}"


def find_runtimes() -> dict[str, str]:
    """Return the interpreter of each runtime, from the environment or ``.tools/runtime``.

    An entry without a runtime name is asked for its version.
    """
    setting = os.environ.get(RUNTIMES_VARIABLE, "")
    if not setting:
        setting = str(_DEFAULT_RUNTIME) if _DEFAULT_RUNTIME.exists() else sys.executable
    runtimes: dict[str, str] = {}
    for entry in filter(None, setting.split(",")):
        name, _, path = entry.rpartition("=")
        runtimes[name or _runtime_of(path)] = path
    return runtimes


def _runtime_of(interpreter: str) -> str:
    """Return the Lambda runtime name of an interpreter, such as ``python3.13``."""
    program = "import sys; print(f'python{sys.version_info[0]}.{sys.version_info[1]}')"
    answer = subprocess.run(  # noqa: S603 - the developer's own setting
        [interpreter, "-c", program], capture_output=True, check=True, text=True
    )
    return answer.stdout.strip()


def set_environment(options: EngineOptions) -> None:
    """Set the variables ministack reads; call before it is imported.

    One socket on loopback, no container engine, temporary files inside the state
    folder, and nothing of the caller's AWS settings.
    """
    for name in [name for name in os.environ if name.startswith(("AWS_", "LAMBDA_"))]:
        del os.environ[name]
    temporary = options.state_dir / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        {
            "GATEWAY_PORT": str(options.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "AWS_ENDPOINT_URL": options.url,
            # ministack takes the key that it finds here for that of the account's owner.
            "AWS_ACCESS_KEY_ID": options.key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": options.key.secret_access_key,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
            "TMPDIR": str(temporary),
            "S3_DATA_DIR": str(options.state_dir / "s3"),
            "STATE_DIR": str(options.state_dir / "state"),
            # A socket that is not there: never touch the developer's containers.
            "DOCKER_HOST": f"unix://{options.state_dir}/no-container-engine.sock",
            "AUTH": "true" if options.auth else "false",
            "PERSIST_STATE": "0",
        }
    )
