"""What the site's hooks make of our pages, without MkDocs."""

from __future__ import annotations

from typing import Final

from reprise_reference.site import (
    DOCS,
    ROOT,
    as_python_markdown,
    diagrams,
    outside,
    picture_of,
    source_of,
    uri_of,
    with_links,
    with_pictures,
)

PAGE: Final = DOCS / "howto" / "boto3.md"


def test_a_link_within_the_docs_stays() -> None:
    text = "[callers](../reference/callers.md#sends) [here](#limits) [there](https://example.com/x)"
    assert with_links(text, PAGE, "howto/boto3.md") == text


def test_a_link_out_of_the_docs_leads_to_a_page_of_the_repositorys() -> None:
    text = "[a](../../bench/RESULTS.md#x) [b](../../examples/library/orders.py)"
    assert with_links(text, PAGE, "howto/boto3.md") == (
        "[a](../repository/bench/RESULTS.md#x) [b](../repository/examples/library/orders.py.md)"
    )


def test_a_link_back_into_the_docs_is_found() -> None:
    source = ROOT / "SECURITY.md"
    assert with_links(
        "[a](docs/adr/0019-a-key-a-source.md) [b](docs/adr)", source, uri_of(source)
    ) == ("[a](../adr/0019-a-key-a-source.md) [b](../adr/README.md)")


def test_links_in_code_stay() -> None:
    text = "```\n[a](../../bench/RESULTS.md)\n```\n"
    assert with_links(text, PAGE, "howto/boto3.md") == text


def test_what_is_linked_comes_along_with_what_that_links_in_turn() -> None:
    found = outside([ROOT / "CONTRIBUTING.md"])
    assert ROOT / "SECURITY.md" in found
    assert not any(path.is_relative_to(DOCS) for path in found)


def test_every_page_has_its_way_back() -> None:
    for path in (ROOT / "SECURITY.md", ROOT / "examples/library/orders.py", PAGE):
        assert source_of(uri_of(path)) == path


def test_lists_are_indented_and_set_off_as_python_markdown_wants_them() -> None:
    text = "Said.\n1. one\n\n   ```\n     code\n   ```\n   on\n2. two\n  - three\n\nafter\n"
    assert as_python_markdown(text) == (
        "Said.\n\n1. one\n\n    ```\n      code\n    ```\n    on\n2. two\n    - three\n\nafter\n"
    )


def test_a_wrapped_line_of_an_item_does_not_begin_another_list() -> None:
    text = "- one\n  that is wrapped\n- two\n"
    assert as_python_markdown(text) == "- one\n    that is wrapped\n- two\n"


def test_code_between_paragraphs_is_left_alone() -> None:
    text = "a\n\n```\n  two\n   three\n- x\n```\n"
    assert as_python_markdown(text) == text


def test_a_diagram_becomes_its_picture() -> None:
    text = "a\n\n```mermaid\nflowchart LR\n  a --> b\n```\nb\n"
    at = f"../images/diagrams/{picture_of('flowchart LR\n  a --> b\n').name}"
    assert with_pictures(text, "howto/a.md") == f"a\n\n[![flowchart]({at})]({at})\nb\n"


def test_every_diagram_is_drawn_and_every_picture_is_of_one() -> None:
    wanted = {
        picture_of(text) for page in DOCS.rglob("*.md") for text in diagrams(page.read_text())
    }
    assert {*(DOCS / "images/diagrams").glob("*.svg")} == wanted, "run `make diagrams`"
