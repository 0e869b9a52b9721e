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
    if skew_s := os.environ.pop("_ENGINE_CLOCK_SKEW_S", None):
        shift_clock(float(skew_s))
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


def shift_clock(seconds: float) -> None:
    """Let this process's clock be off; durations are measured by another, and stay right."""
    import datetime as dt  # noqa: PLC0415 - start-up time
    import gc  # noqa: PLC0415
    import time  # noqa: PLC0415

    real_s, real_ns, gmtime, localtime = time.time, time.time_ns, time.gmtime, time.localtime
    # Plain functions would be methods as attributes of a class, and what these replace is not.
    time.time = staticmethod(lambda: real_s() + seconds)
    time.time_ns = staticmethod(lambda: real_ns() + int(seconds * 1e9))
    time.gmtime = staticmethod(lambda at=None: gmtime(time.time() if at is None else at))
    time.localtime = staticmethod(lambda at=None: localtime(time.time() if at is None else at))
    # The type itself, which C code knows: a subclass in its place would be another type.
    (names,) = gc.get_referents(dt.datetime.__dict__)
    by, now, utcnow = dt.timedelta(seconds=seconds), dt.datetime.now, dt.datetime.utcnow
    names["now"] = classmethod(lambda _cls, tz=None: now(tz) + by)
    names["utcnow"] = classmethod(lambda _cls: utcnow() + by)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(dt.datetime))


if __name__ == "__main__":
    main(
        os.environ["LAMBDA_TASK_ROOT"],
        os.environ.pop("_ENGINE_LAYERS_DIR"),
        os.environ.pop("_ENGINE_PID", None),
    )
