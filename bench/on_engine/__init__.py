"""A stack on the local engine, for benches of the whole: deployed by the real SAM CLI, gone at the end."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local_engine.control import Engine
from reprise_cli.app import App
from reprise_cli.deploy import Deployment
from reprise_cli.options import Options
from reprise_cli.output import Output
from reprise_cli.place import exports, local_place

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def deployed(*changes: str) -> Iterator[App]:
    """Let a stack stand inside, and point this process's SDK to it.

    Args:
        changes: Parameters of the template besides those of samconfig.toml, as `Name=value`.
    """
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(state_dir=Path(folder) / "engine")
        engine.start()
        try:
            place = local_place(engine)
            os.environ.update(exports(place))
            deployment = Deployment(
                place=place,
                stack_name="reprise",
                runtime=engine.admin("GET", "health")["runtimes"][0],
                changes=changes,
                build_dir=Path(folder) / "build",
                cache_dir=Path(folder) / "cache",
            )
            deployment.build()
            deployment.deploy()
            app = App(Options(), Output(is_json=False, stdout=sys.stderr), place)
            app.engine = engine
            yield app
        finally:
            engine.stop()
