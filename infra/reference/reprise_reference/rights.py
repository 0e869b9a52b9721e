"""What a caller's role must be allowed, by the templates: a part of docs/reference/environment.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reprise_reference.markdown import table
from reprise_reference.templates import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_HEAD: Final = """## What a caller's role needs

The same for local endpoint, plugin and library. `reprise sources add NAME --role ROLE` writes it into the
role, for the one source; roles that templates make take the managed policies of the add-on `endpoint`
(outputs `CallerPolicyArn`, `KeyedCallerPolicyArn`) and the tag `reprise-source`. Who invokes
`reprise-invoker` or a front door, also to ask for a late result, needs `lambda:InvokeFunction` on that, and
nothing else. Read from the templates:
"""
_CALLER: Final = "every caller"
_KEYED: Final = "with idempotency keys (`sources add --keys`, `KeyedCallerPolicyArn`)"
_ASKING: Final = "library that asks for late results (`result_of`, `wait`)"
_SOURCES: Final = (
    (
        "addons/endpoint/template.yaml",
        "CallerPolicy",
        {
            "AskTheStack": _CALLER,
            "ReadOwnKey": f"{_CALLER}, to sign; `sources add` names its own secret",
            "WriteLines": _CALLER,
            "KeepPayloads": f"{_CALLER}, for payloads that fit no line",
            "UseKey": "with a `KmsKeyArn`; the managed policy: through Secrets Manager and S3",
        },
    ),
    (
        "addons/endpoint/template.yaml",
        "KeyedCallerPolicy",
        {"ClaimKeys": _KEYED, "KeepAndReadLateResults": _KEYED},
    ),
    (
        "infra/invoker.yaml",
        "InvokerRole",
        {
            "LookUpStatus": _ASKING,
            "ReadLateResults": f"{_ASKING}, replies over 2,048 bytes",
            "KnowWhatIsGone": "the same; `sources add --keys` gives it, bound to the prefix `results/*`",
        },
    ),
    (
        "addons/replies/template.yaml",
        "KnowDestinations",
        {"KnowDestinations": "plugin and library with `reply_to`; the endpoint does not ask it"},
    ),
)
"""Template, resource, and for whom each statement is."""


def rights() -> Iterator[str]:
    """Yield the section's lines."""
    yield _HEAD
    rows = [
        ["every caller", "`lambda:InvokeFunction`", "its targets, as before"],
        *(row for source in _SOURCES for row in _rows(*source)),
    ]
    yield from table(["who", "actions", "on"], rows)


def _rows(template: str, resource: str, told: Mapping[str, str]) -> Iterator[list[str]]:
    statements = {each["Sid"]: each for each in _statements(read(template), resource)}
    for sid, who in told.items():
        said = statements[sid]
        yield [who, _code(_listed(said["Action"])), _code(map(_resource, _resources(said)))]


def _statements(template: Mapping[str, Any], resource: str) -> Iterator[dict[str, Any]]:
    properties = template["Resources"][resource]["Properties"]
    policy = properties if "PolicyDocument" in properties else properties["Policies"][0]
    for each in policy["PolicyDocument"]["Statement"]:
        # `!If [HasKey, STATEMENT, NoValue]`
        yield each[1] if isinstance(each, list) else each


def _resources(statement: Mapping[str, Any]) -> list[Any]:
    said = statement["Resource"]
    return said if isinstance(said, list) and not _has_names(said) else [said]


def _has_names(said: list[Any]) -> bool:
    """Tell whether it is a `!Sub` with names of its own: text, and where each comes from."""
    return isinstance(said[-1], dict)


def _resource(said: str | list[Any]) -> str:
    text: str
    text, names = said if isinstance(said, list) else (said, {})
    for name, imported in names.items():
        text = text.replace(
            f"${{{name}}}", f"${{{imported['Fn::ImportValue'].rpartition('-')[2]}}}"
        )
    for name, value in _known().items():
        text = text.replace(f"${{{name}}}", value)
    return text.replace("${!", "${")


def _known() -> dict[str, str]:
    capture, replay = (
        read("infra/capture.yaml")["Resources"],
        read("infra/replay.yaml")["Resources"],
    )
    secrets = read("infra/secrets.yaml")["Resources"]
    return {
        "CaptureLogGroup": capture["CaptureLogGroup"]["Properties"]["LogGroupName"],
        "BucketName": capture["Bucket"]["Properties"]["BucketName"],
        "LedgerTable": replay["Ledger"]["Properties"]["TableName"],
        "PolicyParameter": secrets["Policy"]["Properties"]["Name"],
        "AWS::Partition": "aws",
        "AWS::Region": "REGION",
        "AWS::AccountId": "ACCOUNT",
        "RootStack": "<stack>",
        "Name": "<stack>",
    }


def _listed(said: str | list[str]) -> list[str]:
    return [said] if isinstance(said, str) else said


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
