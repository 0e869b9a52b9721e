"""The built site: it asks no other host for anything, and its pages are there for people and for programs."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SITE: Final = ROOT / "dist" / "site"
ABROAD: Final = re.compile(r"(?:https?:)?//", re.IGNORECASE)
LOADED: Final = {
    "audio": ("src",),
    "embed": ("src",),
    "form": ("action",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "video": ("src", "poster"),
}
"""What a browser loads by itself, or sends to, by element."""
IN_SCRIPTS: Final = {
    # The theme's script asks for them where a page has a diagram for it to draw, or a repository whose stars
    # it is to show, which none of ours has, and in browsers of before 2020.
    "https://unpkg.com/mermaid@11/dist/mermaid.min.js",
    "https://unpkg.com/resize-observer-polyfill",
    "https://api.github.com/repos/",
    "https://api.github.com/users/",
    # In comments.
    "https://clipboardjs.com/",
    "http://lunrjs.com",
    "http://tartarus.org/",
    "https://bit.ly/2s3ChXG",
}


class _Loads(HTMLParser):
    """Collects what a page makes a browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.classes: set[str] = set()
        self.components: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.classes.update((given.get("class") or "").split())
        self.components.add(given.get("data-md-component") or "")
        if tag == "link" and given.get("rel") in {"canonical", "next", "prev"}:
            return
        self.found += [given[name] or "" for name in LOADED.get(tag, ()) if name in given]
        self.found += re.findall(r"url\(([^)]*)\)", given.get("style") or "")


@cache
def read(page: Path) -> _Loads:
    parser = _Loads()
    parser.feed(page.read_text())
    return parser


def pages() -> list[Path]:
    return sorted(SITE.rglob("*.html"))


def test_the_site_is_built() -> None:
    assert len(pages()) > 80, "run `make docs`"


def test_no_page_makes_a_browser_ask_another_host() -> None:
    found = {
        page.relative_to(SITE): [to for to in read(page).found if ABROAD.match(to)]
        for page in pages()
    }
    assert {page: to for page, to in found.items() if to} == {}


def test_no_style_sheet_or_picture_asks_another_host() -> None:
    for path in (*SITE.rglob("*.css"), *SITE.rglob("*.svg")):
        loaded = re.findall(r"url\(\s*[\"']?([^)\"']+)|@import\s+[\"']([^\"']+)", path.read_text())
        assert [one or two for one, two in loaded if ABROAD.match(one or two)] == [], path.name


def test_scripts_name_no_address_but_those_that_no_page_of_ours_makes_them_ask() -> None:
    named = {
        address
        for path in SITE.rglob("*.js")
        if "lunr" not in path.parts
        for address in re.findall(r"https?://[A-Za-z0-9./@_-]+", path.read_text())
    }
    assert named <= IN_SCRIPTS
    for page in pages():
        assert "mermaid" not in read(page).classes, page
        assert "source" not in read(page).components, page


@pytest.mark.parametrize("name", ["llms.txt", "howto/remove.md", "images/demo.svg"])
def test_what_programs_read_is_there_as_it_is_in_the_docs(name: str) -> None:
    assert (SITE / name).read_bytes() == (ROOT / "docs" / name).read_bytes()


def test_links_between_the_pages_as_markdown_hold() -> None:
    dead = {
        page.relative_to(SITE).as_posix(): to
        for page in SITE.rglob("*.md")
        for to in re.findall(
            r"\]\((?!https?://|mailto:|#)([^)#\s]+)", without_code(page.read_text())
        )
        if not (page.parent / to).is_file()
    }
    assert dead == {}


def without_code(markdown: str) -> str:
    return re.sub(r"^(`{3,}).*?^\1$", "", markdown, flags=re.DOTALL | re.MULTILINE)


def test_every_link_of_llms_txt_is_a_page_of_the_site() -> None:
    links = re.findall(r"\]\(([^)#]+)", (SITE / "llms.txt").read_text())
    assert links
    assert [to for to in links if not (SITE / to).is_file()] == []


def test_llms_txt_lists_every_page_but_decisions_and_files_of_the_repository() -> None:
    links = set(re.findall(r"\]\(([^)#]+)", (SITE / "llms.txt").read_text()))
    pages = {str(page.relative_to(SITE)) for page in SITE.rglob("*.md")}
    others = {page for page in pages if page.startswith(("adr/", "repository/"))}
    assert pages - others - links == set()
