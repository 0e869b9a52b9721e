"""One truth: what pyproject.toml names is what the code imports, what the layer ships and what is pinned."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from package.installation import PROJECT, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EXTRAS: Final[dict[str, list[str]]] = PROJECT["optional-dependencies"]
SETS: Final = (
    *("shared/requirements.txt", "requirements/dev.txt"),
    *("requirements/runtime.txt", "requirements/engine.txt"),
)
"""What the product runs with; the other sets are tools of their own."""
PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)
FOLDERS: Final = {
    "reprise": "shared/reprise",
    "reprise_batch": "shared/reprise_batch",
    "reprise_letters": "shared/reprise_letters",
    "reprise_replies": "shared/reprise_replies",
    "reprise_schedules": "shared/reprise_schedules",
    "reprise_cli": "cli/reprise_cli",
    "reprise_schedules_cli": "cli/reprise_schedules_cli",
    "local_engine": "local_engine/local_engine",
}


def _named(*extras: str) -> dict[str, Requirement]:
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in EXTRAS[extra])]
    found = [Requirement(text) for text in texts]
    return {canonicalize_name(each.name): each for each in found if each.name != "reprise"}


def _pins(path: str) -> dict[str, str]:
    text = (ROOT / path).read_text()
    return {canonicalize_name(match["name"]): match["version"] for match in PIN.finditer(text)}


def _imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield what code imports when it runs, at whatever depth; not what only type checkers read."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _imports(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).partition(".")[0]
        yield from _imports(ast.iter_child_nodes(node))


def _distributions(package: str) -> set[str]:
    """Return what the modules of a package import that is neither ours nor Python's."""
    known = packages_distributions()
    modules = {
        name
        for path in (ROOT / FOLDERS[package]).rglob("*.py")
        for name in _imports([ast.parse(path.read_text())])
    } - {*sys.stdlib_module_names, *FOLDERS}
    return {canonicalize_name(known.get(module, [module])[0]) for module in modules}


def test_the_engine_needs_what_the_extra_for_it_names() -> None:
    """It is a project of its own; the wheel carries its package for who installs `reprise[local]`."""
    project = tomllib.loads((ROOT / "local_engine" / "pyproject.toml").read_text())["project"]
    needed = {str(Requirement(text)) for text in project["dependencies"]}
    with_command = {str(requirement) for requirement in _named("cli", "local").values()}
    assert needed <= with_command
    assert {str(Requirement(text)) for text in EXTRAS["local"]} - {"reprise[cli]"} <= needed
    assert _distributions("local_engine") <= {
        canonicalize_name(Requirement(text).name) for text in needed
    }


@pytest.mark.parametrize("name", _named(*EXTRAS))
def test_what_is_named_is_pinned_within_its_range(name: str) -> None:
    pinned = {path: pins[name] for path in SETS if name in (pins := _pins(path))}
    assert pinned
    allowed = _named(*EXTRAS)[name].specifier
    assert {path for path, version in pinned.items() if version not in allowed} == set()


def test_what_the_layer_ships_is_what_the_library_needs_and_lambda_has_not() -> None:
    lines = (ROOT / "shared" / "requirements.in").read_text()
    shipped = {canonicalize_name(match["name"]) for match in PIN.finditer(lines)}
    by_lambda = set(_pins("requirements/runtime.txt"))
    assert shipped == set(_named()) - by_lambda


@pytest.mark.parametrize(
    ("package", "extras"),
    [
        ("reprise", ()),
        ("reprise_cli", ("cli", "schema")),
        ("reprise_schedules_cli", ("cli",)),
        ("local_engine", ("cli", "local")),
    ],
)
def test_what_is_imported_anywhere_is_named(package: str, extras: tuple[str, ...]) -> None:
    imported = _distributions(package)
    assert len(imported) > 2
    assert imported - set(_named(*extras)) == set()


def test_the_library_names_nothing_that_it_does_not_import() -> None:
    assert set(_named()) - _distributions("reprise") == set()
    assert set(_named("schema")) - set(_named()) == {"pydantic"} <= _distributions("reprise_cli")


def test_imports_are_found_at_any_depth_and_those_of_type_checkers_are_not() -> None:
    code = """
import one
if TYPE_CHECKING:
    import types_only
else:
    import two.deep
def f():
    try:
        from three.deep import name
    except ImportError:
        import four, five
"""
    assert list(_imports([ast.parse(code)])) == ["one", "two", "three", "four", "five"]
