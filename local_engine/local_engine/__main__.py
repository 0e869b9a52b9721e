"""Start the engine: ``python -m local_engine --port N --state-dir D``, with its key in the state folder.

``local_engine.control`` writes the key there, and starts this. By hand, ``reprise-local-engine --port N
--new-key`` makes a key itself and stays in the foreground; the state folder then tells others where it is.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import sys
from pathlib import Path

from local_engine import MINISTACK_VERSION
from local_engine.control import Engine, EngineError
from local_engine.options import (
    DEFAULT_TIME_SCALE,
    EngineOptions,
    find_runtimes,
    set_environment,
)


def main() -> None:
    """Check the release, set ministack's environment, correct it and serve."""
    options = _parse_options()
    found = importlib.metadata.version("ministack")
    if found != MINISTACK_VERSION:
        sys.exit(f"the corrections need ministack {MINISTACK_VERSION}, but {found} is installed")
    shutil.rmtree(options.state_dir / "tmp", ignore_errors=True)
    set_environment(options)
    # Imported late: ministack reads its environment when it is imported.
    from local_engine.server import serve  # noqa: PLC0415

    serve(options)


def _parse_options() -> EngineOptions:
    parser = argparse.ArgumentParser(prog="local_engine", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state-dir", type=Path, default=Engine().state_dir)
    parser.add_argument("--new-key", action="store_true", help="make the key, for a start by hand")
    parser.add_argument("--time-scale", type=float, default=DEFAULT_TIME_SCALE)
    parser.add_argument("--auth", action="store_true", help="enforce IAM")
    parser.add_argument("--stock", action="store_true", help="apply no correction")
    arguments = parser.parse_args()
    state_dir = arguments.state_dir.resolve()
    engine = Engine(state_dir=state_dir)
    try:
        if arguments.new_key:
            _admit_self(engine, arguments.port)
        key = engine.key
    except EngineError as error:
        parser.error(f"{error}, or start with --new-key")
    return EngineOptions(
        port=arguments.port,
        state_dir=state_dir,
        key=key,
        time_scale=arguments.time_scale,
        auth=arguments.auth,
        stock=arguments.stock,
        runtimes=find_runtimes(),
    )


def _admit_self(engine: Engine, port: int) -> None:
    """Write the state of this process.

    Raises:
        EngineError: If another engine uses the state folder.
    """
    if engine.health() is not None:
        message = f"an engine already runs at {engine.url}; stop it first (`reprise local down`)"
        raise EngineError(message)
    engine.admit(port, os.getpid())


if __name__ == "__main__":
    main()
