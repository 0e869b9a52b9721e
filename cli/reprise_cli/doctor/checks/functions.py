"""Whether the stack's functions may run, and may do what they are for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.check import Check, CheckGroup, Problem
from reprise_cli.doctor.checks.deployment import FIRST, PUT_BACK
from reprise_cli.doctor.mend import aws, named
from reprise_cli.doctor.read import CannotTellError, NotRead, known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise_cli.doctor.facts import Facts
    from reprise_cli.doctor.things import FunctionFacts, RoleFacts, SourceFacts

_FIRST_KEY: Final = "k1"
_IN_VPC: Final = NotRead(
    "the functions are in a VPC: whether its subnets have a NAT gateway, or each endpoint that "
    "docs/howto/vpc.md lists, only their logs show"
)


def _function(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    del facts
    if function is None:
        yield Problem(f"function {name} is gone", PUT_BACK)
        return
    if function.state in {"Failed", "Inactive"} or function.update == "Failed":
        yield Problem(
            f"function {name} is {function.state or 'unknown'}, its last update {function.update}",
            f"`aws lambda get-function-configuration --function-name {named(name)}` says why",
        )


def _held(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    del facts
    if function is not None and known(function.reserved) == 0:
        yield Problem(
            f"function {name} has reserved concurrency 0, so Lambda refuses each of its calls",
            aws("lambda delete-function-concurrency", function_name=name),
        )


def _layer(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    layer = facts.outputs.get("LayerArn", "").rpartition(":")[0]
    if function is None or not layer or not function.environment.get("REPRISE_LEDGER_TABLE"):
        return
    if not any(each.startswith(f"{layer}:") for each in function.layers):
        yield Problem(
            f"function {name} has not the stack's layer", "`sam build`, then deploy again"
        )


def _role(name: str, role: RoleFacts | None, facts: Facts) -> Iterable[Problem]:
    del facts
    if role is None:
        yield Problem(f"role {name} is gone", PUT_BACK)
        return
    for words, actions in (
        ("has lost", role.has.lacks(role.wanted)),
        ("is denied", role.has.denies_besides(role.wanted)),
    ):
        if actions:
            yield Problem(
                f"role {name} {words} {', '.join(actions)}",
                PUT_BACK,
            )
    if role.boundary is not None:
        raise CannotTellError(
            NotRead(
                f"role {name} has the permissions boundary {role.boundary}: what that leaves of the "
                "role, IAM's policy simulator tells"
            )
        )


def _network(name: str, function: FunctionFacts | None, facts: Facts) -> Iterable[Problem]:
    del name, facts
    if function is not None and function.in_vpc:
        raise CannotTellError(_IN_VPC)
    yield from ()


def _source(name: str, source: SourceFacts | None, facts: Facts) -> Iterable[Problem]:
    secret = f"{facts.stack}/source/{name}"
    if source is None:
        yield Problem(
            f"secret {secret} is gone, or about to be deleted: nothing that {name} signed is believed",
            aws("secretsmanager restore-secret", secret_id=secret),
        )
    elif source.problem:
        yield Problem(
            f"secret {secret} is refused: {source.problem}", "Correct it by hand, or rotate it"
        )
    elif source.current != _FIRST_KEY and len(source.names) == 1:
        yield Problem(
            f"source {name} signs with {source.current} and holds no key before it: what waits under that "
            "one goes to quarantine",
            f"Put the key before back into {secret}, and rotate by `reprise sources rotate` only",
        )


_check: Final = partial(Check[Any], CheckGroup.DEPLOYMENT)

FUNCTION_CHECKS: Final[tuple[Check[Any], ...]] = (
    _check(
        "function-ready",
        "are all functions there, and ready?",
        FIRST,
        lambda facts: facts.functions,
        _function,
    ),
    _check(
        "function-held",
        "may all functions of the stack run?",
        "runbooks/waiting.md",
        lambda facts: facts.functions,
        _held,
    ),
    _check(
        "function-layer",
        "has each function the stack's layer?",
        FIRST,
        lambda facts: facts.functions,
        _layer,
    ),
    _check(
        "role-actions",
        "may all roles do what the template lets them?",
        "explanation/security.md",
        lambda facts: facts.roles,
        _role,
    ),
    _check(
        "function-network",
        "do the functions reach AWS's services?",
        "howto/vpc.md",
        lambda facts: facts.functions,
        _network,
    ),
    _check(
        "source-keys",
        "are the key documents of all sources valid?",
        "howto/add-a-source.md",
        lambda facts: known(facts.sources),
        _source,
    ),
)
