"""What Lambda and IAM tell: functions, what feeds them, their roles, the account's room."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.policies import Allowances, read_document
from reprise_cli.doctor.read import NotRead
from reprise_cli.doctor.reading.attempt import attempt, attempt_there, each, pages_of
from reprise_cli.doctor.things import (
    FunctionFacts,
    LambdaLimits,
    LayerFacts,
    MappingFacts,
    RoleFacts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from reprise_cli.doctor.read import Read, ReadEach

_OURS: Final = ("REPRISE_", "AWS_ENDPOINT_URL_LAMBDA", "BOTOCORE_EXPERIMENTAL__PLUGINS")
"""Beginnings of the variables that are read; of others, which may be secret, nothing is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionReader:
    """Reads Lambda."""

    client: Any

    def functions(
        self, names: Iterable[str], *, may_recurse: AbstractSet[str] = frozenset()
    ) -> ReadEach[FunctionFacts | None]:
        """Return functions with what is reserved for them, by name or ARN.

        Args:
            names: Of the functions.
            may_recurse: Those of which it is asked whether messages may go round.
        """
        return each(names, lambda name: self._function(name, asks_recursion=name in may_recurse))

    def _function(self, name: str, *, asks_recursion: bool) -> Read[FunctionFacts | None]:
        found = attempt(
            "lambda:GetFunctionConfiguration",
            lambda: dict(self.client.get_function_configuration(FunctionName=name)),
        )
        if found is None or isinstance(found, NotRead):
            return found
        reserved = attempt(
            "lambda:GetFunctionConcurrency",
            lambda: self.client.get_function_concurrency(FunctionName=name).get(
                "ReservedConcurrentExecutions"
            ),
        )
        recursion: Read[str | None] = None
        if asks_recursion:
            recursion = attempt(
                "lambda:GetFunctionRecursionConfig",
                lambda: str(
                    self.client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"]
                ),
            )
        return function_of(found, reserved=reserved, recursion=recursion)

    def all(self) -> Read[dict[str, FunctionFacts]]:
        """Return every function of account and region, by name, without what is reserved for it."""
        found = attempt_there(
            "lambda:ListFunctions",
            lambda: pages_of(self.client, "list_functions", "Functions"),
            "functions",
        )
        if isinstance(found, NotRead):
            return found
        return {entry["FunctionName"]: function_of(entry) for entry in found}

    def mappings(self, functions: Iterable[str]) -> Read[tuple[MappingFacts, ...]]:
        """Return what feeds functions."""
        found: list[MappingFacts] = []
        for name, entries in each(functions, self._mappings).items():
            if isinstance(entries, NotRead):
                return entries
            found += [
                MappingFacts(
                    uuid=entry["UUID"],
                    state=entry.get("State", ""),
                    queue=entry.get("EventSourceArn", ""),
                    function=name,
                    reports_failures="ReportBatchItemFailures"
                    in entry.get("FunctionResponseTypes", []),
                )
                for entry in entries or ()
            ]
        return tuple(found)

    def _mappings(self, name: str) -> Read[list[Any] | None]:
        return attempt(
            "lambda:ListEventSourceMappings",
            lambda: pages_of(
                self.client, "list_event_source_mappings", "EventSourceMappings", FunctionName=name
            ),
        )

    def layers(self, arns: Iterable[str]) -> ReadEach[LayerFacts | None]:
        """Return versions of layers."""
        return each(arns, self._layer)

    def _layer(self, arn: str) -> Read[LayerFacts | None]:
        def ask() -> LayerFacts:
            found = self.client.get_layer_version_by_arn(Arn=arn)
            return LayerFacts(
                runtimes=tuple(found.get("CompatibleRuntimes", [])),
                architectures=tuple(found.get("CompatibleArchitectures", [])),
            )

        return attempt("lambda:GetLayerVersion", ask)

    def limits(self) -> Read[LambdaLimits]:
        """Return what the account may run at once."""

        def ask() -> LambdaLimits:
            told = self.client.get_account_settings()["AccountLimit"]
            return LambdaLimits(
                concurrent=int(told["ConcurrentExecutions"]),
                unreserved=int(told["UnreservedConcurrentExecutions"]),
            )

        return attempt_there("lambda:GetAccountSettings", ask, "the account")

    def aliases(self, function: str, doors: Iterable[str]) -> ReadEach[str | None]:
        """Return the versions that aliases of a function point to."""
        wanted = list(doors)
        if not wanted:
            return {}
        found = attempt(
            "lambda:ListAliases",
            lambda: pages_of(self.client, "list_aliases", "Aliases", FunctionName=function),
        )
        if isinstance(found, NotRead):
            return dict.fromkeys(wanted, found)
        there = {entry["Name"]: str(entry["FunctionVersion"]) for entry in found or ()}
        return {name: there.get(name) for name in wanted}


def function_of(
    told: Mapping[str, Any],
    *,
    reserved: Read[int | None] = None,
    recursion: Read[str | None] = None,
) -> FunctionFacts:
    """Return a function as Lambda describes it."""
    variables = told.get("Environment", {}).get("Variables", {})
    return FunctionFacts(
        arn=told["FunctionArn"],
        role=told.get("Role", ""),
        timeout_s=int(told.get("Timeout", 3)),
        runtime=told.get("Runtime", ""),
        architecture=(told.get("Architectures") or ["x86_64"])[0],
        layers=tuple(layer["Arn"] for layer in told.get("Layers", [])),
        environment={name: value for name, value in variables.items() if name.startswith(_OURS)},
        # Lists of functions leave it out.
        state=told.get("State", "Active"),
        update=told.get("LastUpdateStatus", "Successful"),
        reserved=reserved,
        recursion=recursion,
        in_vpc=bool(told.get("VpcConfig", {}).get("SubnetIds")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleReader:
    """Reads IAM."""

    client: Any

    def roles(self, wanted: Mapping[str, Read[Allowances]]) -> ReadEach[RoleFacts | None]:
        """Return roles, by name, with what is wanted of each."""
        return each(wanted, lambda name: self._role(name, wanted[name]))

    def _role(self, name: str, wanted: Read[Allowances]) -> Read[RoleFacts | None]:
        if isinstance(wanted, NotRead):
            return wanted
        has = self.allowances(name)
        if has is None or isinstance(has, NotRead):
            return has
        role = attempt("iam:GetRole", lambda: self.client.get_role(RoleName=name)["Role"])
        boundary = role.get("PermissionsBoundary", {}) if isinstance(role, dict) else {}
        return RoleFacts(has=has, wanted=wanted, boundary=boundary.get("PermissionsBoundaryArn"))

    def allowances(self, name: str) -> Read[Allowances | None]:
        """Return what the policies of a role say, its own and those that are attached."""
        own = attempt(
            "iam:ListRolePolicies",
            lambda: pages_of(self.client, "list_role_policies", "PolicyNames", RoleName=name),
        )
        if own is None or isinstance(own, NotRead):
            return own
        attached = attempt(
            "iam:ListAttachedRolePolicies",
            lambda: pages_of(
                self.client, "list_attached_role_policies", "AttachedPolicies", RoleName=name
            ),
        )
        if attached is None or isinstance(attached, NotRead):
            return attached
        said = Allowances()
        for policy in own:
            document = attempt("iam:GetRolePolicy", partial(self._own, name, policy))
            if isinstance(document, NotRead):
                return document
            said |= read_document(document)
        for entry in attached:
            document = attempt("iam:GetPolicyVersion", partial(self._managed, entry["PolicyArn"]))
            if isinstance(document, NotRead):
                return document
            said |= read_document(document)
        return said

    def _own(self, role: str, policy: str) -> Any:  # noqa: ANN401 - a document
        return self.client.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]

    def _managed(self, arn: str) -> Any:  # noqa: ANN401 - a document
        version = self.client.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = self.client.get_policy_version(PolicyArn=arn, VersionId=version)
        return found["PolicyVersion"]["Document"]
