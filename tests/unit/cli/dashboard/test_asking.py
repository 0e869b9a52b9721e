"""What a search says, and by which period it is asked; the search itself is CloudWatch's."""

from __future__ import annotations

import pytest

from reprise_cli.dashboard.asking import at_period, search_of, searched
from reprise_cli.dashboard.model.rows import SeriesKey

BACKLOG = '{Reprise,stack,target} stack="s" MetricName="Backlog"'


def test_a_search_is_asked_by_the_charts_period_wherever_it_stands() -> None:
    text = f"SUM([SEARCH('{BACKLOG}', 'Sum', 60), search( '{{A}}' , \"p95\" )]) * 60"
    assert at_period(text, 300) == (
        f"SUM([SEARCH('{BACKLOG}', 'Sum', 300), SEARCH('{{A}}', \"p95\", 300)]) * 60"
    )
    assert at_period("m1 * 60", 300) == "m1 * 60"


@pytest.mark.parametrize("pattern", [BACKLOG, "{Reprise,target} it's"])
def test_a_search_for_a_pattern_can_be_read_again(pattern: str) -> None:
    text = search_of(pattern, "Sum", 60)
    assert at_period(text, 60) == text
    found = searched(text)
    assert found is not None
    assert found.stat == "Sum"


def test_a_search_tells_its_metric_where_it_names_one() -> None:
    found = searched(search_of(BACKLOG, "Maximum", 60))
    assert found is not None
    assert (found.stat, found.metric) == ("Maximum", SeriesKey(namespace="Reprise", name="Backlog"))
    unnamed = searched("SEARCH('{Reprise,target} MetricName=Back', 'Sum')")
    assert unnamed is not None
    assert unnamed.metric is None


@pytest.mark.parametrize("text", ["m1", "SUM(SEARCH('{A}', 'Sum'))", "SEARCH('{A}', 'Sum') * 2"])
def test_what_is_computed_of_searches_is_none(text: str) -> None:
    assert searched(text) is None
