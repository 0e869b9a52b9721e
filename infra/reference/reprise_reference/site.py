"""Hooks of the documentation site: what GitHub does with our pages, and MkDocs does not.

Links may lead out of `docs/`: what they name comes along, as pages below `repository/`. Lists may be indented
as CommonMark has it, and follow a paragraph at once. Each page is there as Markdown, too, for programs.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(__file__).parents[3]
DOCS: Final = ROOT / "docs"
PLACE: Final = "repository"
_LINK: Final = re.compile(r"(?<=\]\()(?!https?://|mailto:|#)([^)#\s]+)(?=[#)])")
_DIAGRAM: Final = re.compile(r"^(```)mermaid\n(.*?)^```$\n", re.DOTALL | re.MULTILINE)
_FENCE: Final = re.compile(r"^(`{3,})")
_ITEM: Final = re.compile(r"^(?:[-*]|[0-9]+\.) ")
_LANGUAGES: Final = {".py": "python", ".yaml": "yaml", ".service": "ini", ".go": "go"}


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - MkDocs' own, which is not installed beside our checks
    """Add what the pages' links name outside `docs/`."""
    from mkdocs.structure.files import File, InclusionLevel  # noqa: PLC0415 - see above

    for path in outside(DOCS.rglob("*.md")):
        added = File.generated(
            config, uri_of(path), content=page_of(path), inclusion=InclusionLevel.NOT_IN_NAV
        )
        files.append(added)
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:  # noqa: ANN401 - MkDocs' own
    """Return a page as MkDocs reads it."""
    uri = page.file.src_uri
    return as_python_markdown(with_links(with_pictures(markdown, uri), source_of(uri), uri))


def on_post_build(config: Any) -> None:  # noqa: ANN401 - MkDocs' own
    """Put the pages' own text beside what was made of them, with links that hold there."""
    pages = list(DOCS.rglob("*.md"))
    for path in (*pages, *outside(pages)):
        uri = uri_of(path)
        to = Path(config.site_dir) / uri
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(with_links(page_of(path), path, uri))


def outside(pages: Iterable[Path]) -> list[Path]:
    """Return the files outside `docs/` that pages link, and that these link in turn."""
    found: dict[Path, None] = {}
    waiting = list(pages)
    while waiting:
        page = waiting.pop()
        for _, part in _split(page.read_text()):
            for link in _LINK.findall(part):
                path = _path(page, link)
                if not path.is_relative_to(DOCS) and path.is_file() and path not in found:
                    found[path] = None
                    if path.suffix == ".md":
                        waiting.append(path)
    return sorted(found)


def uri_of(path: Path) -> str:
    """Return where the site's source has a file of the repository."""
    if path.is_relative_to(DOCS):
        uri = path.relative_to(DOCS).as_posix()
        return f"{uri}/README.md" if path.is_dir() else uri
    uri = f"{PLACE}/{path.relative_to(ROOT).as_posix()}"
    return uri if path.suffix == ".md" else f"{uri}.md"


def source_of(uri: str) -> Path:
    """Return the file that a page comes from; the other way of `uri_of`."""
    head, _, rest = uri.partition("/")
    if head != PLACE:
        return DOCS / uri
    path = ROOT / rest
    return path if path.is_file() else path.with_suffix("")


def page_of(path: Path) -> str:
    """Return a file as a page: Markdown is one, code is shown."""
    text = path.read_text()
    if path.suffix == ".md":
        return text
    language = _LANGUAGES.get(path.suffix, "text")
    return f"# {path.relative_to(ROOT)}\n\n````{language}\n{text.rstrip()}\n````\n"


def diagrams(markdown: str) -> list[str]:
    """Return a page's Mermaid diagrams."""
    return [text for _, text in _DIAGRAM.findall(markdown)]


def picture_of(diagram: str) -> Path:
    """Return where the picture of a diagram is."""
    digest = hashlib.sha256(diagram.encode()).hexdigest()[:12]
    return DOCS / "images" / "diagrams" / f"{digest}.svg"


def with_pictures(markdown: str, uri: str) -> str:
    """Return a page with its diagrams as pictures; strict MkDocs misses those that are not drawn."""

    def drawn(match: re.Match[str]) -> str:
        path = posixpath.relpath(uri_of(picture_of(match[2])), posixpath.dirname(uri))
        return f"[![{match[2].split(maxsplit=1)[0]}]({path})]({path})\n"

    return _DIAGRAM.sub(drawn, markdown)


def with_links(markdown: str, source: Path, uri: str) -> str:
    """Return a page with its links to files as the site has them."""

    def moved(match: re.Match[str]) -> str:
        path = _path(source, match[1])
        is_at_home = source.is_relative_to(DOCS) and path.is_relative_to(DOCS)
        if is_at_home and not path.is_dir():
            return match[1]
        return posixpath.relpath(uri_of(path), posixpath.dirname(uri))

    parts = _split(markdown)
    return "".join(part if is_code else _LINK.sub(moved, part) for is_code, part in parts)


def as_python_markdown(markdown: str) -> str:
    """Return CommonMark's lists as Python-Markdown wants them: indented by four, after an empty line."""
    made: list[str] = []
    is_item = False
    for is_code, part in _split(markdown):
        if is_code:
            made.append(part)
            continue
        for line in part.splitlines(keepends=True):
            is_new = bool(_ITEM.match(line))
            before = made[-1] if made else "\n"
            if is_new and not is_item and before.strip() and not before.startswith("#"):
                made.append("\n")
            # A list ends where a line that is not indented follows an empty one.
            if is_new:
                is_item = True
            elif line.strip() and not line.startswith(" ") and not before.strip():
                is_item = False
            made.append(re.sub(r"^ {2,3}(?=\S)|^ {3}(?= )", "    ", line))
    return "".join(made)


def _split(markdown: str) -> Iterator[tuple[bool, str]]:
    """Yield the fenced code that is not part of a list, and what stands between, in order."""
    lines: list[str] = []
    fence = ""
    for line in markdown.splitlines(keepends=True):
        found = _FENCE.match(line)
        if not fence and found:
            yield False, "".join(lines)
            lines, fence = [line], found[1]
        elif fence and line.rstrip() == fence:
            yield True, "".join([*lines, line])
            lines, fence = [], ""
        else:
            lines.append(line)
    yield bool(fence), "".join(lines)


def _path(page: Path, link: str) -> Path:
    # Not `resolve`: a link of the file system is what it is called.
    return Path(posixpath.normpath((page.parent / link).as_posix()))
