"""Start the engine: ``python -m local_engine --port N --state-dir D``, with its key in the state folder.

``local_engine.control`` writes the key there, and starts this.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import shutil
import sys
from pathlib import Path

from local_engine import MINISTACK_VERSION
from local_engine.control import Engine
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
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--time-scale", type=float, default=DEFAULT_TIME_SCALE)
    parser.add_argument("--auth", action="store_true", help="enforce IAM")
    parser.add_argument("--stock", action="store_true", help="apply no correction")
    arguments = parser.parse_args()
    state_dir = arguments.state_dir.resolve()
    return EngineOptions(
        port=arguments.port,
        state_dir=state_dir,
        key=Engine(state_dir=state_dir).key,
        time_scale=arguments.time_scale,
        auth=arguments.auth,
        stock=arguments.stock,
        runtimes=find_runtimes(),
    )


if __name__ == "__main__":
    main()
