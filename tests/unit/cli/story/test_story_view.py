from __future__ import annotations

import io
from datetime import timedelta

import pytest

from reprise.ledger import State
from reprise_cli.output import Output
from reprise_cli.story.parts import Arrival
from reprise_cli.story.story import tell
from reprise_cli.story.view import show_story
from strategies import NOW, make_row

URL = (
    "s3://reprise-111122223333-eu-west-1/captured/2026/01/31/12/reprise-1-2026-01-31-12-00-00-x.gz"
)


def shown(columns: int) -> list[str]:
    row = make_row(state=State.LEASED, capture_object=URL)
    stdout = io.StringIO()
    out = Output(is_json=False, stdout=stdout, stderr=io.StringIO())
    out.people.width = columns
    show_story(out, tell(row, Arrival(url=URL, at=NOW), "bucket", NOW + timedelta(hours=1)))
    return stdout.getvalue().splitlines()


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_story_is_whole_on_terminals_of_any_width(columns: int) -> None:
    told = shown(columns)
    assert all(len(line) <= columns for line in told)
    assert "…" not in "".join(told)
    starts = [line for line in told if "2026-11-21T10:00:00.000Z" in line]
    assert bool(starts) == (columns > 60), "the times since the capture are there still"
    whole = "".join(line.rstrip().split("  ")[-1].strip() for line in told)
    assert whole.count(URL) == 2
