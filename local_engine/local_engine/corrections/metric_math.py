"""Restore the expressions of GetMetricData: metric math, SEARCH, and the labels of results.

Stock ministack answers every expression with an error, and every label as it was asked. The values of
single metrics stay ministack's own.

Source: CloudWatch API Reference, GetMetricData, MetricDataQuery; and what ``local_engine.metric_math`` names.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from local_engine.metric_math.errors import ExpressionError
from local_engine.metric_math.evaluate import Sheet, searches
from local_engine.metric_math.labels import result_label, search_labels
from local_engine.metric_math.values import Grid, MetricKey, Series
from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local_engine.metric_math.evaluate import Search
    from local_engine.metric_math.values import Value
    from local_engine.options import EngineOptions

    type Query = dict[str, Any]
    type Result = dict[str, Any]
    type Ask = Callable[[Sequence[Query]], list[Result]]

_CLOUDWATCH = Seam("services.cloudwatch")
_MOST_FOUND: Final = 500
"""Series that one search gives."""
_MINUTE_S: Final = 60


def apply(_options: EngineOptions) -> None:
    """Answer GetMetricData ourselves, with ministack's values of single metrics."""
    stock = _CLOUDWATCH["_get_metric_data"]

    def get_metric_data(
        params: dict[str, Any],
        data: dict[str, Any],
        is_cbor: bool,  # noqa: FBT001 - ministack's signature
        is_json: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> Any:
        # ministack reads no expression in the Query protocol, which the SDKs left.
        if not (is_cbor or is_json):
            return stock(params, data, is_cbor, is_json)

        def ask(queries: Sequence[Query]) -> list[Result]:
            asked = {
                **data,
                "MetricDataQueries": [{**each, "ReturnData": True} for each in queries],
            }
            _, _, body = stock({}, asked, is_cbor=False, is_json=True)
            found: list[Result] = json.loads(body)["MetricDataResults"]
            return found

        try:
            results = _results(data, ask)
        except ExpressionError as error:
            refuse = _CLOUDWATCH["_error"]
            return refuse("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
        if is_json:
            return _CLOUDWATCH["_json_ok"]({"MetricDataResults": results})
        encode = _CLOUDWATCH["_cbor_metric_data_result"]
        return _CLOUDWATCH["_cbor_ok"]({"MetricDataResults": [encode(each) for each in results]})

    _CLOUDWATCH.replace("_get_metric_data", get_metric_data)


def _results(data: Mapping[str, Any], ask: Ask) -> list[Result]:
    """Return the results of a request.

    Raises:
        ExpressionError: If an expression has no value; it says which.
    """
    queries: list[Query] = data.get("MetricDataQueries") or []
    metrics = _metrics([query for query in queries if query.get("MetricStat")], ask)
    siblings = list(metrics.values())
    expressions = {query["Id"]: query["Expression"] for query in queries if query.get("Expression")}
    results: list[Result] = []
    for query in queries:
        query_id = query["Id"]
        if query.get("ReturnData") is False:
            continue
        try:
            grid = _grid(data, query, queries)
            sheet = Sheet(
                grid=grid,
                metrics=metrics,
                expressions=expressions,
                find=lambda search, grid=grid: _find(search, grid, ask),
            )
            several = _several(sheet.value(query_id), grid)
        except ExpressionError as error:
            msg = f"Error in expression '{query_id}': {error}"
            raise ExpressionError(msg) from error
        for series in several:
            label = result_label(query.get("Label"), series, siblings, is_one=len(several) == 1)
            results.append(_result(query_id, label or query_id, series.points))
    return results


def _result(query_id: str, label: str, points: Mapping[int, float]) -> Result:
    instants = sorted(points)
    return {
        "Id": query_id,
        "Label": label,
        "Timestamps": instants,
        "Values": [float(points[at]) for at in instants],
        "StatusCode": "Complete",
    }


def _metrics(queries: Sequence[Query], ask: Ask) -> dict[str, Series]:
    """Return the series of single metrics, by the id of their query."""
    points = {
        result["Id"]: dict(zip(result["Timestamps"], result["Values"], strict=True))
        for result in (ask(queries) if queries else ())
    }
    found: dict[str, Series] = {}
    for query in queries:
        asked = query["MetricStat"]
        metric = asked["Metric"]
        dimensions = _CLOUDWATCH["_dims_from_list"](metric.get("Dimensions") or [])
        found[query["Id"]] = Series(
            points=points.get(query["Id"], {}),
            metric=_key(metric["Namespace"], metric["MetricName"], dimensions),
            stat=asked["Stat"],
        )
    return found


def _find(search: Search, grid: Grid, ask: Ask) -> tuple[Series, ...]:
    """Return the series of a search."""
    known = {
        _key(namespace, name, points[0]["Dimensions"])
        for (namespace, name, _), points in list(_CLOUDWATCH["_metrics"].items())
        if points and namespace == search.pattern.namespace
    }
    keys = sorted(filter(search.pattern.finds, known), key=lambda key: (key.name, key.dimensions))
    queries = [
        {
            "Id": f"found{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": key.namespace,
                    "MetricName": key.name,
                    "Dimensions": [
                        {"Name": name, "Value": value} for name, value in key.dimensions
                    ],
                },
                "Period": grid.period_s,
                "Stat": search.stat,
            },
        }
        for number, key in enumerate(keys[:_MOST_FOUND])
    ]
    return search_labels(list(_metrics(queries, ask).values()), search)


def _key(namespace: str, name: str, dimensions: Mapping[str, str]) -> MetricKey:
    return MetricKey(namespace=namespace, name=name, dimensions=tuple(sorted(dimensions.items())))


def _grid(data: Mapping[str, Any], query: Query, queries: Sequence[Query]) -> Grid:
    """Return the instants of a query: by its searches' period, its own, or that of the request's metrics."""
    stated = [search.period_s for search in searches(query.get("Expression") or "0")]
    periods = [period_s for period_s in stated if period_s] or [int(query.get("Period") or 0)]
    if not any(periods):
        stats = [each["MetricStat"] for each in queries if each.get("MetricStat")]
        periods = [int(stat["Period"]) for stat in stats] or [_MINUTE_S]
    period_s = max(periods)
    start, end = (_CLOUDWATCH["_parse_ts"](data.get(name)) for name in ("StartTime", "EndTime"))
    first_s = math.floor(start or 0) // period_s * period_s
    return Grid(start_s=first_s, end_s=math.ceil(end or 0), period_s=period_s)


def _several(value: Value, grid: Grid) -> tuple[Series, ...]:
    match value:
        case tuple():
            return value
        case Series():
            return (value,)
        case number:
            return (Series(points=dict.fromkeys(grid.instants, number)),)
