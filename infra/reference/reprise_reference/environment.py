"""docs/reference/environment.md: the variables that people set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.settings import DEFAULT_CAPTURE_OUTCOMES, OnCapture
from reprise_reference.markdown import notes, table
from reprise_reference.rights import rights

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = """# Environment variables

Written by `make reference`; a test compares it with what the code reads. The stack's own functions have
variables that its templates set, and that nobody else does.

A caller needs two: `REPRISE_STACK` and `REPRISE_SOURCE`, or none where the stack is called `reprise` and a
Lambda function as its source. The rest the stack says, in the parameter `/<stack>/callers`; a variable that
is set wins.
"""
CALLERS: Final = {
    "REPRISE_STACK": ("`reprise`", "Name of the stack."),
    "REPRISE_SOURCE": (
        "the Lambda function's name",
        "Who signs, as `reprise sources add NAME` made it.",
    ),
    "REPRISE_ON_CAPTURE": (
        f"`{OnCapture.FUNCTION_ERROR}`",
        "How endpoint and plugin tell a caller that its call was kept, see below.",
    ),
    "REPRISE_CAPTURE_OUTCOMES": (
        "see the text",
        f"Outcomes that are captured, separated by commas. Endpoint and plugin: what the target's policy says, else `throttled,transient,unknown`. Library: `{DEFAULT_CAPTURE_OUTCOMES}`, and a policy comes first.",
    ),
    "REPRISE_TARGETS": (
        "the stack's",
        "ARNs of the functions that may be called, separated by commas.",
    ),
    "REPRISE_CALL_TIMEOUT_S": ("the stack's", "Seconds that a call may take."),
    "REPRISE_CAPTURE_LOG_GROUP": (
        "`/reprise/<stack>/capture`",
        "Where capture lines go; `stdout` where the process's own output is a group of `ExtraLogGroups`.",
    ),
    "REPRISE_BUCKET": ("the stack's", "Where payloads go that fit no line."),
    "REPRISE_LEDGER_TABLE": (
        "the stack's",
        "The ledger, for calls with idempotency keys of their own.",
    ),
    "REPRISE_MAC_SECRET_ARN": ("`<stack>/source/<source>`", "Secret with the key to sign with."),
    "REPRISE_POLICY_PARAMETER": ("the stack's", "Where the policies are."),
    "REPRISE_STATUS_URL": (
        "`reprise://<stack>/calls/{id}`",
        "What a caller of a kept call gets as `status_url`; `{id}` and `{token}` are filled in.",
    ),
    "REPRISE_ENDPOINT_PORT": (
        "that of `AWS_ENDPOINT_URL_LAMBDA`, else 9350",
        "Port of the local endpoint.",
    ),
    "REPRISE_UPSTREAM_LAMBDA": ("AWS's own address", "Where the local endpoint finds Lambda."),
}
"""What callers set: default, and what it is. In the order of need."""
COMMAND: Final = {
    "REPRISE_STACK": ("`reprise`", "As `--stack-name`."),
    "REPRISE_SCHEDULES_STACK": ("`<stack>-schedules`", "As `--schedules-stack`."),
    "REPRISE_LOCAL": ("", "1: as `--local`."),
    "REPRISE_DASHBOARD_TOKEN": (
        "a new one each time",
        "Token by which a browser may use the page of `reprise dashboard`.",
    ),
    "REPRISE_BROWSER": ("the system's Chromium", "The browser of the page's tests."),
    "REPRISE_ENGINE_PYTHON": (
        "`.tools/engine`",
        "The interpreter that the local engine runs under.",
    ),
    "REPRISE_RUNTIME_PYTHON": (
        "`.tools/runtime`",
        "The interpreter of functions in the local engine, or `python3.13=PATH,...`.",
    ),
}
"""What the command, the local engine and the tests read."""
AWS: Final = {
    "AWS_ENDPOINT_URL_LAMBDA": "In a caller: `http://127.0.0.1:9350` sends its Lambda calls to the local endpoint.",
    "BOTOCORE_EXPERIMENTAL__PLUGINS": "In a caller: `reprise=reprise.boto3_plugin` loads the plugin into boto3 and the AWS CLI 1.",
    "AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL": "For the command: as for AWS's own tools; `--region`, `--profile` and `--endpoint-url` win.",
}
"""AWS's own variables, as far as we give them a use."""


def environment_page() -> str:
    """Return the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    for title, variables in (("Callers", CALLERS), ("Command, local engine, tests", COMMAND)):
        yield f"## {title}\n"
        rows = [(f"`{name}`", default, text) for name, (default, text) in variables.items()]
        yield from table(["variable", "default", "what it is"], rows)
        if variables is CALLERS:
            yield from rights()
    yield "## `REPRISE_ON_CAPTURE`\n"
    told = [(said.replace("'", "`"), text) for _, said, text in notes(OnCapture)]
    yield from table(["value", "what a caller of a kept call gets"], told)
    yield "## AWS's own\n"
    own = [(f"`{name.replace(', ', '`, `')}`", text) for name, text in AWS.items()]
    yield from table(["variable", ""], own)
