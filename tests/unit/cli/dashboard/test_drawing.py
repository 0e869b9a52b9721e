"""A whole dashboard, drawn from a source that is a dictionary."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reprise_cli.dashboard.asking import MetricAnswer, MetricResult
from reprise_cli.dashboard.drawing import AlarmState, DrawingView, draw, without
from reprise_cli.dashboard.markdown import to_html
from reprise_cli.dashboard.model.body import read_body
from reprise_cli.dashboard.periods import asked_period_s, chart_grid, whole_grid

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reprise_cli.dashboard.asking import MetricRequest

VIEW = DrawingView(now_s=1_700_000_000, range_s=900, finest_s=60)


@dataclass
class FakeSource:
    """Metrics by name and target, expressions by their text; each has its values at the first instants."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    expressions: dict[str, list[tuple[str, list[float]]]] = field(default_factory=dict)
    """Label and values of each result; an expression that is not here is refused."""
    states: dict[str, str] = field(default_factory=dict)
    asked: list[MetricRequest] = field(default_factory=list)

    def ask(self, requests: Sequence[MetricRequest]) -> Sequence[MetricAnswer]:
        self.asked += requests
        return [self._answer(request) for request in requests]

    def _answer(self, request: MetricRequest) -> MetricAnswer:
        results: list[MetricResult] = []
        problem = None
        for query in request.queries:
            if query.metric is not None:
                target = dict(query.metric.dimensions).get("target", "")
                values = self.values.get((query.metric.name, target), [])
                found = [(query.label or query.metric.name, values)]
            elif query.expression in self.expressions:
                found = self.expressions[query.expression]
            else:
                problem = f"Error in expression '{query.id}'"
                continue
            if query.is_shown:
                results += [
                    MetricResult(
                        id=query.id,
                        label=label,
                        points=dict(zip(request.grid.instants, values, strict=False)),
                    )
                    for label, values in found
                ]
        return MetricAnswer(results=tuple(results), problem=problem)

    def alarms(self, names: Collection[str]) -> Sequence[AlarmState]:
        return [
            AlarmState(name=name, state=self.states[name]) for name in names & self.states.keys()
        ]


def drawn(source: FakeSource, *widgets: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = json.dumps({"widgets": widgets, "periodOverride": "inherit", **fields})
    return draw(read_body(body, {}), {}, VIEW, source)


def metric_widget(*rows: list[Any], **properties: Any) -> dict[str, Any]:
    return {"type": "metric", "properties": {"metrics": rows, "period": 60, **properties}}


def test_a_chart_has_its_values_at_its_instants_and_holes_elsewhere() -> None:
    source = FakeSource({("Succeeded", "a"): [1.0, 2.0]})
    row = ["Reprise", "Succeeded", "target", "a", {"stat": "Sum", "label": "done"}]
    (chart,) = drawn(source, metric_widget(row, title="calls a minute"))["widgets"]
    (series,) = chart["series"]
    assert series["values"] == [1.0, 2.0, *[None] * 13]
    assert (series["label"], series["stat"], series["unit"]) == ("done", "Sum", "")
    assert (chart["period_s"], len(chart["times"]), chart["title"]) == (60, 15, "calls a minute")


def test_units_of_our_metrics_come_from_their_table() -> None:
    row = ["Reprise", "AgeAtSuccess", "target", "a", {"stat": "p95"}]
    (chart,) = drawn(FakeSource(), metric_widget(row))["widgets"]
    assert chart["series"][0]["unit"] == "Seconds"


def test_a_search_draws_a_series_for_each_target_with_its_unit_and_by_the_charts_period() -> None:
    text = "SEARCH('{Reprise,target} MetricName=\"AgeAtSuccess\"', 'Maximum', 300)"
    asked = text.replace("300", "60")
    source = FakeSource(expressions={asked: [("b", [1.0]), ("a", [2.0])]})
    (chart,) = drawn(source, metric_widget([{"expression": text}]))["widgets"]
    assert [(s["label"], s["values"][0]) for s in chart["series"]] == [("a", 2.0), ("b", 1.0)]
    assert {(s["stat"], s["unit"]) for s in chart["series"]} == {("Maximum", "Seconds")}


def test_of_a_search_no_more_is_drawn_than_can_be_read() -> None:
    text = "SEARCH('{Reprise,target}', 'Sum', 60)"
    source = FakeSource(expressions={text: [(f"{number:03}", [1.0]) for number in range(99)]})
    (chart,) = drawn(source, metric_widget([{"expression": text}]))["widgets"]
    assert [series["label"] for series in chart["series"]] == [f"{n:03}" for n in range(50)]


def test_an_expression_that_nobody_named_is_called_by_its_text() -> None:
    source = FakeSource(expressions={"a * 2": [("e", [1.0])], "SUM(a)": [("sum", [1.0])]})
    rows = [[{"expression": "a * 2", "id": "e"}], [{"expression": "SUM(a)", "label": "sum"}]]
    (chart,) = drawn(source, metric_widget(*rows))["widgets"]
    assert [series["label"] for series in chart["series"]] == ["a * 2", "sum"]


def test_hidden_rows_are_asked_for_expressions_and_are_not_drawn() -> None:
    source = FakeSource(
        {("Succeeded", "a"): [6.0], ("Captured", "a"): [8.0]},
        expressions={"100 * s / c": [("share", [75.0])]},
    )
    chart = metric_widget(
        ["Reprise", "Succeeded", "target", "a", {"id": "s", "visible": False}],
        ["Reprise", "Captured", "target", "a", {"id": "c", "visible": False}],
        [{"expression": "100 * s / c", "label": "share", "yAxis": "right"}],
    )
    (found,) = drawn(source, chart)["widgets"]
    (series,) = found["series"]
    assert (series["label"], series["side"], series["values"][0]) == ("share", "right", 75.0)
    (request,) = source.asked
    shown = [(query.id, query.is_shown) for query in request.queries]
    assert shown == [("s", False), ("c", False), ("row2", True)]


def test_an_expression_that_fails_is_told_and_spares_the_others() -> None:
    source = FakeSource({("Succeeded", "a"): [6.0]})
    bad = metric_widget(["Reprise", "Succeeded", "target", "a"], [{"expression": "LOG(m)"}])
    odd = metric_widget(["only"])
    found = drawn(source, bad, odd, {"type": "text", "properties": {"markdown": "x"}})["widgets"]
    assert "Error in expression 'row1'" in found[0]["problem"]
    assert len(found[0]["series"]) == 1
    assert "metrics[0]" in found[1]["problem"]
    assert found[2]["html"] == "<p>x</p>\n"


def test_a_number_of_the_whole_range_is_one_value() -> None:
    row = ["Reprise", "Captured", "target", "a", {"stat": "Sum"}]
    number = metric_widget(row, view="singleValue", setPeriodToTimeRange=True)
    (found,) = drawn(FakeSource({("Captured", "a"): [300.0]}), number)["widgets"]
    assert found["series"][0]["values"] == [300.0]
    assert found["times"] == [found["times"][0]]


def test_alarms_say_their_state_and_missing_ones_that_they_are() -> None:
    arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:"
    widget = {"type": "alarm", "properties": {"title": "?", "alarms": [f"{arn}bad", f"{arn}gone"]}}
    (found,) = drawn(FakeSource(states={"bad": "ALARM"}), widget)["widgets"]
    assert [(alarm["name"], alarm["state"]) for alarm in found["alarms"]] == [
        ("bad", "ALARM"),
        ("gone", "UNKNOWN"),
    ]


def test_log_widgets_and_unknown_ones_say_where_they_are_drawn() -> None:
    found = drawn(FakeSource(), {"type": "log"}, {"type": "custom"})["widgets"]
    assert all("console" in widget["problem"] for widget in found)


VARIABLE = {
    "id": "target",
    "type": "property",
    "property": "target",
    "defaultValue": "a",
    "values": [{"value": "x", "label": "The X"}],
    "search": '{Reprise,target} MetricName="Captured"',
    "populateFrom": "target",
}


def test_a_variable_has_its_own_values_and_those_that_a_search_finds() -> None:
    period_s = asked_period_s(whole_grid(chart_grid(VIEW.now_s, VIEW.range_s, VIEW.finest_s)))
    text = f"SEARCH('{VARIABLE['search']}', 'SampleCount', {period_s})"
    source = FakeSource(expressions={text: [("b", []), ("a", []), ("b", [1.0])]})
    (found,) = drawn(source, variables=[VARIABLE])["variables"]
    assert [value["value"] for value in found["values"]] == ["a", "x", "b"]
    assert found["current"] == "a"
    (request,) = source.asked
    assert [query.label for query in request.queries] == ["${PROP('Dim.target')}"]


def test_a_variable_whose_search_is_refused_has_its_own_values_and_says_so() -> None:
    (found,) = drawn(FakeSource(), variables=[VARIABLE])["variables"]
    assert [value["value"] for value in found["values"]] == ["a", "x"]
    assert "Error in expression" in found["problem"]


def test_markdown_runs_nothing_and_loads_nothing() -> None:
    html = to_html(
        "<script>x</script> ![i](http://elsewhere/i.png) [b](javascript:x) [button:primary:Go](http://a/)"
    )
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert '<a href="http://a/">Go</a>' in html


def test_widgets_of_what_nobody_writes_are_left_out_and_the_rest_moves_up() -> None:
    def metric(name: str, y: int, x: int = 0) -> dict[str, Any]:
        properties = {"metrics": [["Reprise", name, "stack", "s"]]}
        return {
            "type": "metric",
            "x": x,
            "y": y,
            "width": 12,
            "height": 6,
            "properties": properties,
        }

    text = {"type": "text", "y": 12, "properties": {"markdown": "end"}}
    broken = {"type": "metric", "y": 18, "properties": {"metrics": [["..."]]}}
    both = [metric("Runs", 6), metric("Warm", 6, 12)]
    body = read_body(json.dumps({"widgets": [metric("Captured", 0), *both, text, broken]}))
    kept = without(body, {"Runs", "Warm"})
    assert [(widget.kind, widget.y) for widget in kept.widgets] == [
        ("metric", 0),
        ("text", 6),
        ("metric", 12),
    ]
    half = without(body, {"Warm"})
    assert [widget.y for widget in half.widgets] == [0, 6, 12, 18]
    assert without(body, ()) == body
