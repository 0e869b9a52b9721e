"""docs/reference/library.md: what is public in Python, from its own docstrings."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import TYPE_CHECKING, Final

import reprise
from reprise import boto3_plugin, testing
from reprise_reference.markdown import docstring, notes, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = """# The library

Written by `make reference` from the docstrings, which `help(reprise)` shows as well. What is not
here may change with any release. How to use it: [the library](../howto/library.md).
"""
_ORDER: Final = (
    "invoke", "Client", "CallResult", "CallStatus", "Outcome", "OutcomeKind", "State", "capture",
    "RepriseError", "BadRequestError", "SettingsError", "StoreError",
)  # fmt: skip


def library_page() -> str:
    """Return the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    for name in _ORDER:
        yield from _thing(f"reprise.{name}", getattr(reprise, name))
    yield from _thing("reprise.boto3_plugin.install", boto3_plugin.install)
    yield from _thing("reprise.testing.FakeClient", testing.FakeClient)


def _thing(name: str, thing: object) -> Iterator[str]:
    yield f"## `{name}`\n"
    if not isinstance(thing, type):
        yield from _function(name, thing)
        return
    yield from docstring(thing.__doc__ or "")
    fields = list(notes(thing))
    if issubclass(thing, Enum):
        yield from table(
            ["value", ""], [(said.replace("'", "`"), text) for _, said, text in fields]
        )
        return
    shown = [(f"`{field}`", f"`{said}`", text) for field, said, text in fields if text]
    if shown:
        yield from table(["field", "type", ""], shown)
    for method in _methods(thing):
        yield f"### `{name.rpartition('.')[2]}{_called(method)}`\n"
        yield from _function(name if method == "__init__" else method, getattr(thing, method))


def _called(method: str) -> str:
    return "(…)" if method == "__init__" else f".{method}"


def _methods(kind: type) -> list[str]:
    own = [name for name, value in vars(kind).items() if inspect.isroutine(value)]
    is_data = hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__struct_fields__")
    is_error = issubclass(kind, Exception)
    return [
        name
        for name in own
        if not name.startswith("_") or (name == "__init__" and not is_data and not is_error)
    ]


def _function(name: str, function: object) -> Iterator[str]:
    signature = inspect.signature(function)  # type: ignore[arg-type] # what is public can be called
    shown = [each for key, each in signature.parameters.items() if key != "self"]
    inner = "".join(f"    {each},\n" for each in _with_star(shown))
    returns = signature.return_annotation
    arrow = "" if returns in {inspect.Signature.empty, "None"} else f" -> {returns}"
    called = name.rpartition(".")[2]
    yield f"```python\n{called}({f'{chr(10)}{inner}' if inner else ''}){arrow}\n```\n"
    yield from docstring(inspect.getdoc(function) or "")


def _with_star(parameters: list[inspect.Parameter]) -> Iterator[str]:
    """Yield the parameters, and the star before those that need their name."""
    has_star = False
    for each in parameters:
        if each.kind is inspect.Parameter.KEYWORD_ONLY and not has_star:
            yield "*"
        has_star = has_star or each.kind in {
            inspect.Parameter.KEYWORD_ONLY,
            inspect.Parameter.VAR_POSITIONAL,
        }
        yield _parameter(each)


def _parameter(each: inspect.Parameter) -> str:
    star = "*" if each.kind is inspect.Parameter.VAR_POSITIONAL else ""
    said = f"{star}{each.name}: {each.annotation}"
    if each.default is inspect.Parameter.empty:
        return said
    default = each.default
    return f"{said} = {default.__name__ if isinstance(default, type) else repr(default)}"
