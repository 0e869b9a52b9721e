from __future__ import annotations

from pathlib import Path

import pytest

from reprise_cli.dashboard.markdown import RUNBOOKS_AT, link_to, to_html
from reprise_cli.exits import NotFoundError
from reprise_cli.page.runbooks import runbook, runbooks

ROOT = Path(__file__).parents[4]
NAMES = sorted(path.stem for path in (ROOT / RUNBOOKS_AT).glob("*.md"))


@pytest.mark.parametrize(
    ("address", "folder", "to"),
    [
        ("docs/runbooks/holding.md", "", "/runbooks/holding"),
        ("docs/runbooks/holding.md#do-this", "", "/runbooks/holding"),
        ("holding.md", RUNBOOKS_AT, "/runbooks/holding"),
        ("../reference/policy.md", RUNBOOKS_AT, ""),
        ("docs/reference/policy.md", "", ""),
        ("https://example.org/a.md", RUNBOOKS_AT, "https://example.org/a.md"),
        ("/letters", "", "/letters"),
        ("javascript:alert(1)", "", ""),
    ],
)
def test_a_link_leads_to_what_this_page_has(address: str, folder: str, to: str) -> None:
    assert link_to(address, folder) == to


def test_a_link_that_leads_nowhere_is_its_words() -> None:
    assert to_html("[the policy](../policy.md)", RUNBOOKS_AT) == "<p>the policy</p>\n"
    html = to_html("see [holding](holding.md)", RUNBOOKS_AT)
    assert html == '<p>see <a href="/runbooks/holding">holding</a></p>\n'


def test_every_runbook_is_served_with_its_title() -> None:
    assert sorted(each["name"] for each in runbooks({})["runbooks"]) == NAMES
    for name in NAMES:
        found = runbook({"id": name})
        assert found["title"]
        assert "What it means" in found["html"] or "<h2>" in found["html"]
        assert 'href="docs/' not in found["html"]
        assert 'href="../' not in found["html"]


@pytest.mark.parametrize("name", ["", "nothing", "../explanation/not-run-on-aws", "holding.md"])
def test_nothing_else_is_served(name: str) -> None:
    with pytest.raises(NotFoundError):
        runbook({"id": name})
