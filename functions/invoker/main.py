"""Where Lambda starts the invoker: its managed runtime imports this, and gets no further.

The runtime asks for its first invocation once its handler is imported. So by then search path and log
format are set, and what fails here is an error of the init phase; from here on the invoker asks itself
(`runtime`). Whatever imports this where no runtime API is gets `lambda_handler`.
See docs/adr/0030-front-doors-by-alias.md.
"""

from __future__ import annotations

import os
from contextlib import closing

from invoker.handler import handle, lambda_handler
from invoker.runtime import RuntimeApi, serve

__all__ = ["lambda_handler"]

_address = os.environ.get("AWS_LAMBDA_RUNTIME_API")
if _address:
    with closing(RuntimeApi(_address)) as _api:
        serve(_api, handle)
