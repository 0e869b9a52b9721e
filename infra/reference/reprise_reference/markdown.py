"""Small pieces of Markdown, and of docstrings."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_SECTION: Final = re.compile(r"^(Args|Returns|Raises|Example|Source):\s*(.*)$")
_ENTRY: Final = re.compile(r"^(\*{0,2}\w+): (.*)$")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, and an empty one."""
    for row in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in row) + " |"
    yield ""


def docstring(text: str) -> Iterator[str]:
    """Yield a docstring in Google's style as Markdown."""
    head, sections = _sections(inspect.cleandoc(text))
    yield from (head, "")
    for name, body in sections:
        if name == "Example":
            yield from ("```python", body, "```", "")
        elif name in {"Args", "Raises"}:
            yield from table([_HEADS[name], ""], _entries(body))
        else:
            yield from (f"{name}: {' '.join(body.split())}", "")


_HEADS: Final = {"Args": "argument", "Raises": "raises"}


def notes(kind: type) -> Iterator[tuple[str, str, str]]:
    """Yield the fields of a class: name, annotation or value, and the docstring under it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    if not isinstance(tree, ast.ClassDef):
        return
    for node, after in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=said):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=said):
                pass
            case _:
                continue
        match after:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield name, ast.unparse(said), " ".join(text.split())
            case _:
                yield name, ast.unparse(said), ""


def _sections(text: str) -> tuple[str, list[tuple[str, str]]]:
    head: list[str] = []
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        section = _SECTION.match(line)
        if section:
            found.append((section[1], [section[2]] if section[2] else []))
        elif found:
            found[-1][1].append(line)
        else:
            head.append(line)
    parts = [(name, textwrap.dedent("\n".join(lines)).strip("\n")) for name, lines in found]
    return "\n".join(head).strip(), parts


def _entries(body: str) -> Iterator[tuple[str, str]]:
    name, text = "", ""
    for line in body.splitlines():
        entry = _ENTRY.match(line)
        if entry:
            if name:
                yield name, text
            name, text = f"`{entry[1]}`", entry[2]
        else:
            text += f" {line.strip()}"
    yield name, text
