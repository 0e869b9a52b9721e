"""Restore Lambda's execution environments: Python, Node.js, and runtimes of a function's own.

Stock ministack runs every function under its own interpreter, ends the environment
on any exception, names every error ``Runtime.HandlerError``, and delivers log lines
late. Here the real awslambdaric runs under the interpreter of the function's
runtime, and a runtime of the engine's own under the Node.js that is on its PATH, in
an environment that outlives handler errors; errors have the types the runtime
reported; the lines of an invocation are logged when it ends. A wrapper script
starts the runtime, and a ``bootstrap`` of the function's own is one; both get the
payload and give the answer byte for byte. Extensions of the layers run beside it.

Node.js functions bring the AWS SDK with them, which on AWS is there already.
There is no ``/opt`` and no ``/var/task`` here: the engine finds what AWS's variables and
its own rules name there, and a script finds what lies beside it by its own path (``$0``).

Source: Lambda Developer Guide, "Understanding the Lambda execution environment
lifecycle", "Using the Lambda runtime API for custom runtimes", "Modifying the runtime
environment", "Building a custom runtime for AWS Lambda".
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from functools import partial
from shutil import which
from typing import TYPE_CHECKING, Any

from local_engine.context import CLIENT_CONTEXT, DIRECT_CALL, TENANT_ID
from local_engine.runtime.code import unpack
from local_engine.runtime.environment import Call, Environment
from local_engine.runtime.logs import Invocation, write_invocation
from local_engine.runtime.process import BOOTSTRAP, NODE_BOOTSTRAP, Place
from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local_engine.options import EngineOptions

    type Execute = Callable[[dict[str, Any], object, str], dict[str, Any]]

_LAMBDA_SVC = Seam("services.lambda_svc")
_LAMBDA_RUNTIME = Seam("core.lambda_runtime")
_LOGGED = "reprise"
_OURS = "python", "nodejs", "provided"
_BOOTSTRAPS = "/var/task/bootstrap", "/opt/bootstrap"

#: How long a new function stays Pending; stock waits half a second.
_ACTIVATION_S = 0.02


def apply(options: EngineOptions) -> None:
    """Run functions in our environments and log their lines ourselves."""
    cache_dir = options.state_dir / "code"
    stock_class_for = _LAMBDA_RUNTIME["_worker_class_for"]
    stock_logs = _LAMBDA_SVC["_emit_lambda_logs"]

    def make_environment(_name: str, config: dict[str, Any], code_zip: bytes) -> Environment:
        # Called under ministack's pool lock: unpacking waits until the process starts.
        return Environment(config, partial(_find_place, options, cache_dir, config, code_zip))

    def class_for(config: dict[str, Any]) -> object:
        return make_environment if _is_ours(config) else stock_class_for(config)

    def instead_of(stock: Execute) -> Execute:
        def execute(func: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
            config = func.get("config") or func
            if not _is_ours(config) or not func.get("code_zip"):
                return stock(func, event, request_id)
            return _execute(func, config, event, request_id)

        return execute

    def emit_logs(
        func: dict[str, Any],
        request_id: str,
        log_text: str,
        error: object,
        duration_ms: int,
        *,
        log_source: str | None = None,
    ) -> None:
        if log_source != _LOGGED:
            stock_logs(func, request_id, log_text, error, duration_ms, log_source=log_source)

    _LAMBDA_RUNTIME.replace("_worker_class_for", class_for)
    _LAMBDA_SVC.set("_LAMBDA_STATE_TRANSITION_DELAY", _ACTIVATION_S)
    for name in ("_execute_function_warm", "_execute_function_provided_warm"):
        _LAMBDA_SVC.replace(name, instead_of(_LAMBDA_SVC[name]))
    _LAMBDA_SVC.replace("_emit_lambda_logs", emit_logs)


def _is_ours(config: dict[str, Any]) -> bool:
    return str(config.get("Runtime", "")).startswith(_OURS)


def _find_place(
    options: EngineOptions, cache_dir: Path, config: dict[str, Any], code_zip: bytes
) -> Place:
    """Unpack a function and find what starts its runtime.

    Raises:
        LookupError: If it is not there.
    """
    layers = [_LAMBDA_SVC["_resolve_layer_zip"](layer) for layer in config.get("Layers") or []]
    place = Place(
        command=(),
        code_dir=unpack([code_zip], cache_dir),
        layers_dir=unpack([layer for layer in layers if layer], cache_dir),
        endpoint=options.url,
    )
    return replace(place, command=_find_command(options, config, place))


def _find_command(options: EngineOptions, config: dict[str, Any], place: Place) -> tuple[str, ...]:
    runtime = str(config["Runtime"])
    if runtime.startswith("provided"):
        # Wrapper scripts are not for these.
        found = [path for path in map(place.find, _BOOTSTRAPS) if path.is_file()]
        if not found:
            message = f"Couldn't find valid bootstrap(s): [{' '.join(_BOOTSTRAPS)}]"
            raise LookupError(message)
        return (str(found[0]),)
    command = _find_interpreter(options, runtime)
    variables = (config.get("Environment") or {}).get("Variables") or {}
    if wrapper := variables.get("AWS_LAMBDA_EXEC_WRAPPER"):
        script = place.find(wrapper)
        if not script.is_file():
            message = f"{wrapper}: no such file or directory (AWS_LAMBDA_EXEC_WRAPPER)"
            raise LookupError(message)
        return str(script), *command
    return command


def _find_interpreter(options: EngineOptions, runtime: str) -> tuple[str, str]:
    if runtime.startswith("nodejs"):
        interpreter, bootstrap = options.runtimes.get(runtime) or which("node"), NODE_BOOTSTRAP
        hint = "put a node on the PATH that the engine is started with"
    else:
        interpreter, bootstrap = options.runtimes.get(runtime), BOOTSTRAP
        hint = "set REPRISE_RUNTIME_PYTHON"
    if interpreter is None:
        known = ", ".join(sorted(options.runtimes)) or "none"
        message = f"no interpreter for {runtime} (known: {known}); {hint}"
        raise LookupError(message)
    return interpreter, str(bootstrap)


def _execute(
    func: dict[str, Any], config: dict[str, Any], event: object, request_id: str
) -> dict[str, Any]:
    """Run one invocation on a pooled environment, write its log, return ministack's result."""
    _LAMBDA_SVC["_ensure_reaper_thread"]()
    direct = DIRECT_CALL.get()
    if direct is not None and direct.event is not event:
        direct = None
    environment = None
    try:
        environment, _ = _LAMBDA_SVC["acquire_worker"](
            config["FunctionName"],
            config,
            func["code_zip"],
            qualifier=config.get("Version", "$LATEST"),
        )
        started = time.monotonic()
        outcome = environment.invoke(
            Call(
                request_id=request_id,
                payload=direct.payload if direct else json.dumps(event).encode(),
                function_arn=config["FunctionArn"],
                trace_header=_LAMBDA_SVC["_xray_trace_id_for_invocation"](config) or "",
                client_context=CLIENT_CONTEXT.get(),
                tenant_id=TENANT_ID.get(),
            )
        )
    except LookupError as error:
        body = {"errorType": "Runtime.InvalidEntrypoint", "errorMessage": str(error)}
        return {"body": body, "error": True, "log": str(error)}
    except Exception as error:
        logging.getLogger("reprise").exception("environment of %s failed", config["FunctionName"])
        body = {"errorType": "Runtime.Unknown", "errorMessage": str(error)}
        return {"body": body, "error": True, "log": str(error)}
    finally:
        _LAMBDA_SVC["release_worker"](environment)
    write_invocation(
        Invocation(
            config=config,
            request_id=request_id,
            duration_ms=(time.monotonic() - started) * 1000,
            outcome=outcome,
        ),
        environment.log_stream,
    )
    result = {
        "body": outcome.payload if direct and direct.is_answered else _decode(outcome.payload),
        "log": "\n".join(line.message for line in outcome.lines),
        "log_source": _LOGGED,
    }
    if outcome.is_error:
        result["error"] = True
    return result


def _decode(payload: bytes) -> object:
    """Return an answer for those who read it: what is no JSON as its text, none as null."""
    try:
        return json.loads(payload or b"null")
    except ValueError:
        return payload.decode("utf-8", "replace")
