"""Whether functions that call through the stack are set up for it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.check import Check, CheckGroup, Problem, one
from reprise_cli.doctor.checks.deployment import PUT_BACK
from reprise_cli.doctor.mend import aws, named
from reprise_cli.doctor.read import CannotTellError, NotRead, known
from reprise_cli.front_doors import LATEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise_cli.doctor.facts import Facts
    from reprise_cli.doctor.policies import Allowances
    from reprise_cli.doctor.things import FunctionFacts

ENDPOINT: Final = "howto/local-endpoint.md"
BOTO3: Final = "howto/boto3.md"
ENDPOINT_VARIABLE: Final = "AWS_ENDPOINT_URL_LAMBDA"
PLUGIN_VARIABLE: Final = "BOTOCORE_EXPERIMENTAL__PLUGINS"
_LOCAL: Final = ("http://127.0.0.1:", "http://localhost:")
_PLUGIN: Final = "reprise.boto3_plugin"
_NEEDS: Final = (
    "lambda:InvokeFunction",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
)
"""What a caller with endpoint or plugin does in its own name."""


def has_endpoint(function: FunctionFacts) -> bool:
    """Tell whether a function's calls go to an address of its own environment."""
    return function.environment.get(ENDPOINT_VARIABLE, "").startswith(_LOCAL)


def has_plugin(function: FunctionFacts) -> bool:
    """Tell whether its boto3 loads the plugin."""
    return _PLUGIN in function.environment.get(PLUGIN_VARIABLE, "")


def _way_in(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    if function is None:
        yield Problem(f"there is no function {name}", "Correct the name that --caller has")
    elif not has_endpoint(function) and not has_plugin(function):
        yield Problem(
            f"function {name} calls Lambda directly: it has neither {ENDPOINT_VARIABLE} nor the plugin's "
            "variable, so nothing of it is captured",
            f"Set {ENDPOINT_VARIABLE}=http://127.0.0.1:9350, unless it calls the invoker or a front door",
        )
    elif has_plugin(function) and not has_endpoint(function):
        layer = facts.outputs.get("LayerArn", "").rpartition(":")[0]
        if layer and function.runtime and not _has_layer(function, (f"{layer}:",)):
            yield Problem(
                f"function {name} has the plugin's variable, and not the stack's layer",
                f"Add the layer {facts.outputs.get('LayerArn', '')}, unless its package has reprise",
                BOTO3,
            )


def _has_layer(function: FunctionFacts, starts: tuple[str, ...]) -> bool:
    return any(layer.startswith(starts) for layer in function.layers)


def _extension(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    del facts
    # A container image has the endpoint in it, and shows no layers.
    if function is None or not function.runtime or not has_endpoint(function):
        return
    if not function.layers:
        yield Problem(
            f"function {name} has {ENDPOINT_VARIABLE}, and no layer that listens there: all its calls of "
            "Lambda fail",
            "Add the layer of addons/endpoint for its architecture, or take the variable away",
        )


def _fits(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    for arn in function.layers if function is not None else ():
        layer = known(facts.layers[arn]) if arn in facts.layers else None
        if function is None or layer is None:
            continue
        for kind, has, fits in (
            ("architecture", function.architecture, layer.architectures),
            ("runtime", function.runtime, layer.runtimes),
        ):
            if has and fits and has not in fits:
                yield Problem(
                    f"function {name} is {has}, and its layer {arn} is for {', '.join(fits)}",
                    f"Take the layer of its {kind}",
                )


def _role(function: FunctionFacts) -> str:
    return named(function.role.rpartition("/")[2])


def _signs(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    if function is None or not (has_endpoint(function) or has_plugin(function)):
        return
    if function.environment.get("REPRISE_MAC_SECRET_ARN"):
        return
    source = function.environment.get("REPRISE_SOURCE") or name
    if source not in known(facts.sources):
        yield Problem(
            f"function {name} signs as source {source}, and there is none: nothing of it is captured",
            f"`reprise sources add {named(source)} --targets TARGET --role {_role(function)}`",
            "howto/add-a-source.md",
        )


def _may(name: str, allowed: Allowances | None, facts: Facts) -> Iterable[Problem]:
    function = known(facts.callers[name]) if name in facts.callers else None
    if function is None or not (has_endpoint(function) or has_plugin(function)):
        return
    role = function.role.rpartition("/")[2]
    if allowed is None:
        yield Problem(
            f"role {role} of function {name} is gone", "Give the function a role that is there"
        )
        return
    lacks = [action for action in _NEEDS if not allowed.allow(action)]
    if lacks:
        yield Problem(
            f"role {role} of function {name} may not {', '.join(lacks)}",
            f"`reprise sources add {named(name)} --targets TARGET --role {_role(function)}` gives it all of "
            "that but lambda:InvokeFunction on its targets",
        )


def _network(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    del facts
    if function is not None and function.in_vpc:
        raise CannotTellError(
            NotRead(
                f"function {name} is in a VPC: whether its subnets reach lambda, ssm, secretsmanager "
                "and logs only a call from there shows"
            )
        )
    yield from ()


def _said(_: str, text: str | None, facts: Facts) -> Iterable[Problem]:
    name = facts.outputs.get("CallersParameter", "")
    if text is None:
        yield Problem(f"parameter {name} is gone: callers that start cannot capture", PUT_BACK)
        return
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        yield Problem(
            f"parameter {name} is no JSON object: callers that start cannot capture", PUT_BACK
        )
        return
    wanted: dict[str, object] = {
        "bucket": facts.outputs.get("BucketName"),
        "capture_log_group": facts.outputs.get("CaptureLogGroup"),
        "ledger_table": facts.outputs.get("LedgerTable"),
        "targets": [arn for arn in facts.outputs.get("TargetArns", "").split(",") if arn],
    }
    for key, value in wanted.items():
        if value and said.get(key) != value:
            yield Problem(
                f"parameter {name} tells callers another {key} than the stack has", PUT_BACK
            )


def _door(name: str, version: str | None, facts: Facts) -> Iterable[Problem]:
    invoker = facts.outputs.get("InvokerFunction", "")
    if version is None:
        yield Problem(
            f"front door {name} has no alias: whoever calls {invoker}:{name} is told that there is none",
            "`reprise doors apply`",
        )
    elif version != LATEST:
        yield Problem(
            f"front door {name} is of version {version} of {invoker}, which no deployment changes",
            aws("lambda update-alias", function_name=invoker, name=name, function_version=LATEST),
        )


_check: Final = partial(Check[Any], CheckGroup.CALLER)

CALLER_CHECKS: Final[tuple[Check[Any], ...]] = (
    _check(
        "callers-told",
        "does the stack tell callers what it is?",
        ENDPOINT,
        lambda facts: one(facts.callers_said),
        _said,
    ),
    _check(
        "front-doors",
        "has each front door its alias?",
        "howto/api-gateway.md",
        lambda facts: facts.aliases,
        _door,
    ),
    _check(
        "caller-way-in",
        "do callers call through a way in?",
        ENDPOINT,
        lambda facts: facts.callers,
        _way_in,
    ),
    _check(
        "caller-endpoint",
        "does something listen where callers call?",
        ENDPOINT,
        lambda facts: facts.callers,
        _extension,
    ),
    _check(
        "caller-layer",
        "are their layers for their architecture and runtime?",
        ENDPOINT,
        lambda facts: facts.callers,
        _fits,
    ),
    _check(
        "caller-source",
        "has each a source to sign as?",
        ENDPOINT,
        lambda facts: facts.callers,
        _signs,
    ),
    _check(
        "caller-role",
        "may their roles call, read their key, and write lines?",
        ENDPOINT,
        lambda facts: facts.caller_roles,
        _may,
    ),
    _check(
        "caller-network",
        "do they reach what they need?",
        "howto/vpc.md",
        lambda facts: facts.callers,
        _network,
    ),
)
