from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.dashboard.model.body import BodyError, read_body
from reprise_cli.dashboard.model.rows import SeriesKey, read_rows
from reprise_cli.dashboard.model.variables import Variable, choose
from reprise_cli.dashboard.model.widgets import MetricProperties, TextProperties

VARIABLE = {"id": "target", "type": "property", "property": "target", "defaultValue": "a"}


def widget(**properties: Any) -> dict[str, Any]:
    return {"type": "metric", "x": 1, "y": 2, "width": 3, "height": 4, "properties": properties}


def body(*widgets: dict[str, Any], **fields: Any) -> str:
    return json.dumps({"widgets": widgets, **fields})


def test_a_widget_has_its_place_and_what_it_shows() -> None:
    (found,) = read_body(
        body(widget(title="Flow", stacked=True, yAxis={"left": {"min": 0}}))
    ).widgets
    assert (found.x, found.y, found.width, found.height) == (1, 2, 3, 4)
    assert isinstance(found.properties, MetricProperties)
    assert (found.properties.title, found.properties.y_axis.left.min) == ("Flow", 0)


def test_bands_are_drawn_as_their_edges_and_hidden_lines_not_at_all() -> None:
    lines = [{"value": 1}, [{"value": 2}, {"value": 3}], {"value": 4, "visible": False}]
    (found,) = read_body(body(widget(annotations={"horizontal": lines}))).widgets
    assert isinstance(found.properties, MetricProperties)
    assert [line.value for line in found.properties.annotations.thresholds] == [1, 2, 3]


def test_shorthands_repeat_the_row_above() -> None:
    rows = read_rows(
        MetricProperties(
            metrics=[
                ["N", "A", "stack", "s", "target", "t", {"stat": "Sum", "id": "m"}],
                [".", "B", ".", ".", ".", "u"],
                ["...", "v", {"yAxis": "right"}],
                [{"expression": "m * 2", "label": "twice", "visible": False}],
                ["...", "w"],
            ]
        )
    )
    keys = [
        ("A", "t", "m", "left"),
        ("B", "u", "row1", "left"),
        ("B", "v", "row2", "right"),
        ("B", "w", "row4", "left"),
    ]
    metrics = [row for row in rows if row.metric is not None]
    assert [(row.metric, row.id, row.side) for row in metrics] == [
        (
            SeriesKey(namespace="N", name=name, dimensions=(("stack", "s"), ("target", target))),
            row_id,
            side,
        )
        for name, target, row_id, side in keys
    ]
    assert (rows[3].expression, rows[3].is_visible) == ("m * 2", False)


@pytest.mark.parametrize("row", [["N"], ["N", "A", "d"], [], [".", "A"], ["...", "x"]])
def test_a_row_that_names_no_metric_is_refused_by_its_number(row: list[str]) -> None:
    with pytest.raises(ValueError, match=r"metrics\[0\]"):
        read_rows(MetricProperties(metrics=[row]))


def test_a_property_variable_sets_dimensions_and_fields_of_its_name() -> None:
    variable = Variable(id="v", type="property", property="target")
    widgets = [{"target": "x", "metrics": [["N", "A", "target", "x", {"label": "target"}]]}]
    assert choose(widgets, [variable], {"v": "y"}) == [
        {"target": "y", "metrics": [["N", "A", "target", "y", {"label": "target"}]]}
    ]


def test_a_pattern_variable_replaces_text_everywhere() -> None:
    variable = Variable(id="v", type="pattern", pattern="prod", default_value="test")
    assert choose(["prod-a", {"prod": ["x prod"]}], [variable], {}) == [
        "test-a",
        {"prod": ["x test"]},
    ]


def test_the_default_is_taken_until_somebody_chooses() -> None:
    text = body(widget(metrics=[["N", "A", "target", "?"]]), variables=[VARIABLE])
    for chosen, expected in (({}, "a"), ({"target": "b"}, "b")):
        (found,) = read_body(text, chosen).widgets
        assert isinstance(found.properties, MetricProperties)
        assert found.properties.metrics[0][3] == expected


def test_a_kind_of_widget_that_nobody_knows_stays_in_its_place() -> None:
    (found,) = read_body(body({"type": "explorer", "x": 5})).widgets
    assert (found.kind, found.x, found.properties) == ("explorer", 5, None)


def test_unknown_properties_are_passed_over() -> None:
    (found,) = read_body(body({"type": "text", "properties": {"markdown": "x", "new": 1}})).widgets
    assert found.properties == TextProperties(markdown="x")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ('{"widgets": {}}', "not a list"),
        ('{"widgets": [{"type": "metric", "x": "left"}]}', r"widgets\[0\]"),
        (
            '{"widgets": [{"type": "metric", "properties": {"period": "x"}}]}',
            r"widgets\[0\].*period",
        ),
        ('{"widgets": [1]}', r"widgets\[0\]"),
        ('{"variables": [{"id": "x"}]}', "variables"),
        (
            '{"variables": [{"id": "x", "type": "pattern", "pattern": "(", "defaultValue": "y"}]}',
            "no pattern",
        ),
    ],
)
def test_what_is_no_dashboard_is_refused_by_place(text: str, reason: str) -> None:
    with pytest.raises(BodyError, match=reason):
        read_body(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "metrics", "properties", "widgets", "variables", "id", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(
    document=st.fixed_dictionaries({}, optional={"widgets": json_values, "variables": json_values})
)
def test_any_json_is_a_dashboard_or_refused(document: object) -> None:
    with suppress(BodyError):
        read_body(json.dumps(document))
