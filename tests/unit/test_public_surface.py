"""What `import reprise` offers: named once, found lazily, and explained by `help()`."""

from __future__ import annotations

import inspect
import pydoc
import re
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

import reprise
from reprise import testing

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = [name for name in reprise.__all__ if name != "__version__"]
VALUES = {"Outcome", "OutcomeKind", "State"}
"""Plain values that results hold: their fields say what there is to say."""


def _explained() -> Iterator[tuple[str, Any]]:
    """Yield what must have an example: the public names, their own methods, and the double."""
    yield "reprise", reprise
    found = {f"reprise.{name}": getattr(reprise, name) for name in NAMES if name not in VALUES}
    for name, value in {**found, "FakeClient": testing.FakeClient}.items():
        yield name, value
        if name in {"reprise.Client", "FakeClient"}:
            for method in vars(value):
                if not method.startswith("_") or method == "__init__":
                    yield f"{name}.{method}", getattr(value, method)


EXPLAINED = dict(_explained())


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_what_its_module_has(name: str) -> None:
    value = getattr(reprise, name)
    assert value.__name__ == name
    assert getattr(inspect.getmodule(value), name) is value
    assert name in dir(reprise)


def test_another_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'reprise' has no attribute 'nothing'"):
        getattr(reprise, "nothing")  # noqa: B009 - type checkers know that it is not there


def test_the_decorator_hides_no_package() -> None:
    """`reprise.capture` is a function; the station is `reprise.capturing`, so no import replaces it."""
    import reprise.capturing.line  # noqa: PLC0415 - what must not replace it

    assert inspect.isfunction(reprise.capture)


@pytest.mark.parametrize("name", EXPLAINED)
def test_what_is_public_is_explained_with_an_example_that_is_python(name: str) -> None:
    text = inspect.getdoc(EXPLAINED[name]) or ""
    found = re.search(r"^Example:\n((?: {4}.*\n|\n)*(?: {4}.*))", text, re.MULTILINE)
    assert found is not None, text
    # Some show what stands in a function of the reader's own.
    body = textwrap.indent(textwrap.dedent(found[1]), "    ")
    compile(f"def around():\n{body}\n", name, "exec")


@pytest.mark.parametrize("name", ["reprise.invoke", "reprise.Client.invoke", "FakeClient.invoke"])
def test_help_names_what_may_be_said_of_a_call(name: str) -> None:
    text = pydoc.plain(pydoc.render_doc(EXPLAINED[name]))
    for said in ("qualifier", "client_context", "tenant_id", "idempotency_key", "scope"):
        assert re.search(rf"\b{said}: 'str \| None' = None", text), text
    assert "not_after: 'datetime | None' = None" in text
    assert "**" not in text


def test_help_of_a_client_names_its_settings_and_its_methods() -> None:
    text = pydoc.plain(pydoc.render_doc(reprise.Client))
    for name in ("targets", "bucket", "mac_secret_arn", "ledger_table", "call_timeout_s"):
        assert re.search(rf"\b{name}: '", text), text
    assert "invoke(" in text
    assert "result_of(" in text


def test_help_of_the_package_shows_all_of_it() -> None:
    text = pydoc.plain(pydoc.render_doc(reprise))
    assert [name for name in NAMES if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("name", EXPLAINED)
def test_the_ledgers_row_never_leaves_the_package(name: str) -> None:
    assert not re.search(r"\bRow\b", str(getattr(EXPLAINED[name], "__annotations__", {})))
