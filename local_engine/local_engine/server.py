"""Serve the corrected ministack on one loopback socket until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from local_engine import ENGINE_VERSION, MINISTACK_VERSION
from local_engine.admin import Admin
from local_engine.application import wrap
from local_engine.asgi import with_hang_up
from local_engine.corrections import apply_all
from local_engine.faults import FaultPlan
from local_engine.guard import guard
from local_engine.seams import Seam

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

_SWITCH_INTERVAL_S = 0.0005

_SHUTDOWN_LIMIT_S, _SHUTDOWN_POLL_S = 3.0, 0.05

_APP = Seam("app")
_LAMBDA_RUNTIME = Seam("core.lambda_runtime")


def serve(options: EngineOptions) -> None:
    """Run until SIGTERM or SIGINT; leave no process and no file behind."""
    corrections = () if options.stock else apply_all(options)
    ready = (
        f"reprise local engine {ENGINE_VERSION} (ministack {MINISTACK_VERSION}) on {options.url}"
    )
    health = {
        "status": "ok",
        "engine": ENGINE_VERSION,
        "ministack": MINISTACK_VERSION,
        "pid": os.getpid(),
        "runtimes": sorted(options.runtimes),
        "corrections": list(corrections),
    }
    application = wrap(_APP["app"], Admin(health=health, plan=FaultPlan()), ready)
    if not options.stock:
        application = guard(application, options.key, options.port)
    application = with_hang_up(application)
    _raise_file_limit()
    # A thread that returns from a system call waits this long for the interpreter;
    # with the default of 5 ms a busy server spends most of its time waiting.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    config = Config()
    config.bind = [f"127.0.0.1:{options.port}"]
    config.keep_alive_timeout = 75
    config.backlog = 1024
    config.graceful_timeout = 0.5
    config.loglevel = "WARNING"
    try:
        asyncio.run(_serve(application, config, options))
    finally:
        _clean_up(options)


async def _serve(application: Any, config: Config, options: EngineOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def wait_for_signal() -> None:
        await stop.wait()
        threading.Thread(target=_end_soon, args=(options,), daemon=True).start()

    await hypercorn_serve(application, config, shutdown_trigger=wait_for_signal)


def _end_soon(options: EngineOptions) -> None:
    """End what still runs: requests wait for their functions, event sources start more."""
    deadline = time.monotonic() + _SHUTDOWN_LIMIT_S
    while time.monotonic() < deadline:
        _end_functions()
        time.sleep(_SHUTDOWN_POLL_S)
    _clean_up(options)
    os._exit(0)


def _clean_up(options: EngineOptions) -> None:
    _end_functions()
    for name in ("tmp", "code", "s3", "state"):
        shutil.rmtree(options.state_dir / name, ignore_errors=True)


def _raise_file_limit() -> None:
    """Use the hard limit: each environment takes four descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _end_functions() -> None:
    """Kill every function's process group, busy ones too."""
    for pool in list(_LAMBDA_RUNTIME["_workers"].values()):
        for worker in list(pool):
            worker.kill()
