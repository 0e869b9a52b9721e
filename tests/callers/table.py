"""Rows and columns of docs/reference/callers.md, what each cell must be, and how the page is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "callers.md"
REFUSED: Final = ("429 of the function", "429 of the account")
ACCOUNT, SERVICE_ERROR, NO_ANSWER = REFUSED[1], "5xx", "no answer in time"
FUNCTION_ERROR, SUCCESS = "function error", "success"
COLUMNS: Final = (*REFUSED, SERVICE_ERROR, NO_ANSWER, FUNCTION_ERROR, SUCCESS)


class Cell(NamedTuple):
    """What became of one call."""

    seen: str
    """By the caller's code."""
    is_kept: bool
    sends: int = 1
    """Of the call to its target, until the caller had its answer."""

    def __str__(self) -> str:
        """Return the cell as the page has it."""
        sends = f"{self.sends} send" + "s" * (self.sends != 1)
        return f"{self.seen}; {'kept; ' if self.is_kept else ''}{sends}"


def _row(kept: str, success: str, function_error: str = "") -> dict[str, Cell]:
    """Return a caller's cells; its function errors are kept where nothing else is said of them."""
    return {
        **dict.fromkeys(COLUMNS, Cell(kept, is_kept=True)),
        **({FUNCTION_ERROR: Cell(function_error, is_kept=False)} if function_error else {}),
        SUCCESS: Cell(success, is_kept=False),
    }


_SDK: Final = _row("202 `Captured`", "200", "200 `Unhandled`")
_BAD_GATEWAY: Final = _row("202", "201", "502")
ENDPOINT: Final = {
    "endpoint, boto3": _SDK,
    "endpoint, aiobotocore": _SDK,
    "endpoint, AWS CLI 1": _SDK,
    "endpoint, JavaScript v3": _SDK,
    "endpoint, JavaScript v2 (address in code)": _SDK,
}
PLUGIN: Final = {"plugin, boto3": _SDK, "plugin, AWS CLI 1": _SDK}
DOORS: Final = {
    "REST API": _BAD_GATEWAY,
    "HTTP API": _row("202", "201", "500"),
    "load balancer": _BAD_GATEWAY,
    "function URL": _BAD_GATEWAY,
    "Step Functions": _row("`Reprise.Captured`", "`SUCCEEDED`", "`ValueError`"),
    "alias, boto3": _row(
        "200 `Unhandled`, `Reprise.Captured`", "200", "200 `Unhandled`, `ValueError`"
    ),
    "wrapped invoker": _row("202", "200"),
}
ROWS: Final[Mapping[str, Mapping[str, Cell]]] = {**ENDPOINT, **PLUGIN, **DOORS}

_INTRODUCTION: Final = """\
# What each caller sees

Written by `make callers`, which makes each of these calls: a cell is a test that passed. In it: what the
caller's code sees, whether the call was kept, and how often it was sent to its target until the caller had
its answer.

Of all of these calls none was lost, none looked like a success that was none, none ran twice, and a refused
one was sent once.

- *Endpoint* and *plugin*: the SDK itself in a process of its own, the endpoint's binary, a Lambda on the
  loopback address that answers as told. What is kept is a line that the pipeline's own reader takes for
  authentic.
- *Doors* and *invoker*: the stack on the local engine. What is kept is replayed to its end: a target that was
  refused ran once, and one that did not answer in time did not run again, as nobody said that it may.
- *Function error*: an answer, as no policy says otherwise. The wrapped invoker keeps it, by the stack's
  `CaptureOutcomes`, and replays it as often as the policy allows; no execution of it succeeds.
- *429 of the account*: here the target's call is refused with that reason, and the door has room. A door
  that is refused itself keeps nothing (`InvokerReservedConcurrency`).
- *JavaScript v2* knows no `AWS_ENDPOINT_URL_LAMBDA`: `new AWS.Lambda({endpoint: "http://127.0.0.1:9350"})`.
- Not tried: Java, .NET, PHP, Rust, Ruby and Go, whose SDKs come from indexes that are not reached here, and
  the AWS CLI 2.

Nothing of it has run on AWS.

"""


def page(cells: Mapping[tuple[str, str], Cell]) -> str:
    """Return the page.

    Raises:
        KeyError: If a cell is missing.
    """
    rows = [["", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    rows += [[row, *(str(cells[row, column]) for column in COLUMNS)] for row in ROWS]
    return _INTRODUCTION + "".join(f"| {' | '.join(row)} |\n" for row in rows)
