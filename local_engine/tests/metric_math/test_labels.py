"""What results are called."""

from __future__ import annotations

import pytest

from local_engine.metric_math.evaluate import Search
from local_engine.metric_math.labels import result_label, search_labels
from local_engine.metric_math.search import read_pattern
from local_engine.metric_math.values import MetricKey, Series


def series(target: str, *values: float, name: str = "Backlog") -> Series:
    metric = MetricKey(namespace="N", name=name, dimensions=(("stack", "s"), ("target", target)))
    return Series(points=dict(enumerate(values)), metric=metric, stat="Sum")


def search(pattern: str) -> Search:
    return Search(text=f"{pattern}|Sum", pattern=read_pattern(pattern), stat="Sum", period_s=None)


def test_found_series_are_called_by_what_tells_them_apart_and_sorted() -> None:
    found = search_labels([series("b"), series("a")], search("{N,stack,target}"))
    assert [one.label for one in found] == ["a", "b"]


def test_the_only_found_series_is_called_by_what_was_found() -> None:
    (one,) = search_labels([series("orders")], search('{N,stack,target} stack="s"'))
    assert one.label == "orders"
    (one,) = search_labels([series("orders")], search('{N,stack,target} "s" target="orders"'))
    assert one.label == "Backlog"


def test_labels_may_name_dimensions_and_numbers() -> None:
    asked = "${PROP('Dim.target')} ${PROP('MetricName')} max ${MAX} ${UNKNOWN}"
    one = series("a", 3.0, 4.0)
    assert result_label(asked, one, [one], is_one=True) == "a Backlog max 4 ${UNKNOWN}"


@pytest.mark.parametrize(("is_one", "label"), [(True, "held"), (False, "held a")])
def test_a_label_stands_before_the_names_of_several(*, is_one: bool, label: str) -> None:
    several = [series("a"), series("b")]
    assert result_label("held", several[0], several, is_one=is_one) == label
    assert result_label("held", Series(points={}), several, is_one=is_one) == "held"
