"""Run inside a function's own interpreter: import order of AWS, then awslambdaric.

Started by path without arguments, so that a wrapper script can add options for the interpreter as
AWS's examples do. Imports nothing of this package.

Source: Lambda Developer Guide, "Search path for runtime dependencies": function
code, then the layers' ``python/lib/python3.x/site-packages`` and ``python``;
"Modifying the runtime environment", wrapper scripts.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(code_dir: str, layers_dir: str, engine_pid: str | None) -> None:
    """Tie this process to the engine's life, set the import order and serve.

    Without the engine's process id something else has tied it already.
    """
    if engine_pid is not None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(engine_pid):
            sys.exit(1)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    # sys.path[0] is the folder of this file; the function must not see it.
    sys.path[:1] = [
        code_dir,
        os.path.join(layers_dir, "python", "lib", version, "site-packages"),  # noqa: PTH118 - start-up time
        os.path.join(layers_dir, "python"),  # noqa: PTH118
    ]
    handler = os.environ["_HANDLER"]
    sys.argv = ["/var/runtime/bootstrap.py"]
    from awslambdaric import bootstrap  # noqa: PLC0415 - after the import order is set
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # noqa: PLC0415

    bootstrap.run(handler, LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]))


if __name__ == "__main__":
    main(
        os.environ["LAMBDA_TASK_ROOT"],
        os.environ.pop("_ENGINE_LAYERS_DIR"),
        os.environ.pop("_ENGINE_PID", None),
    )
