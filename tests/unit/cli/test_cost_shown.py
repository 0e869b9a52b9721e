from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reprise_cli.cost.page import page
from reprise_cli.cost.scenario import Scenario
from reprise_cli.cost.view import show_cost
from reprise_cli.main import app
from reprise_cli.output import PlainConsole

ROOT = Path(__file__).parents[3]
LARGEST = Scenario(
    calls=10**9, outage_s=86_400, payload_bytes=170_000, targets=200, failures=9, target_s=60
)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["cost", *arguments])


def test_the_page_is_what_the_code_prints() -> None:
    written = (ROOT / "docs/reference/cost.md").read_text()
    assert written == page(), "python -m reprise_cli.cost > docs/reference/cost.md"


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(),
        replace(Scenario(), calls=10_000_000, payload_bytes=150_000, failures=3, reply_bytes=9_000),
        LARGEST,
    ],
    ids=["usual", "large", "largest"],
)
def test_it_fits_eighty_columns(scenario: Scenario) -> None:
    text = StringIO()
    console = PlainConsole(text)
    console.width = 80
    for thing in show_cost(scenario):
        console.print(thing)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    # Nothing was cut.
    assert "…" not in text.getvalue()


def test_a_program_gets_one_object_whose_parts_add_up() -> None:
    result = run("--json", "--calls", "5000", "--outage", "20m", "--targets", "3")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    for name in ("million_calls", "outage", "month_at_rest"):
        parts = told[name]
        assert sum(use["usd"] for use in parts["uses"]) == pytest.approx(parts["usd"])
        assert sum(parts["by_station"].values()) == pytest.approx(parts["usd"])
    # Three targets: seven gauges and four for each.
    assert any(use["count"] == 19 for use in told["month_at_rest"]["uses"])
    assert not told["prices"]["Lambda request"]["checked"]


def test_it_needs_neither_aws_nor_a_stack() -> None:
    # Without an object of its own the command would be given AWS's settings: it asks for none.
    result = run("--region", "nowhere", "--profile", "nobody")
    assert result.exit_code == 0
    assert "a million captured calls: " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--outage", "soon"), "--outage"),
        (("--calls", "0"), "--calls"),
        (("--target-time", "1d"), "--target-time"),
        (("--failures", "nan"), "--failures"),
    ],
)
def test_what_cannot_be_is_a_usage_error_that_names_the_option(
    arguments: tuple[str, str], field: str
) -> None:
    result = run("--json", *arguments)
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["field"] == field
