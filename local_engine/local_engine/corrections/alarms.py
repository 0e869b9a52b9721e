"""Restore alarms: dimensions, M out of N datapoints, missing data, and a clock.

Stock ministack adds up all dimensions of a metric, knows neither DatapointsToAlarm
nor TreatMissingData, and evaluates only when somebody puts metric data.

Source: CloudWatch User Guide, "Evaluating an alarm", "Configuring how CloudWatch
alarms treat missing data".
"""

from __future__ import annotations

import logging
import operator
import threading
import time
from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_engine.options import EngineOptions

    type Alarm = dict[str, Any]

_CLOUDWATCH = Seam("services.cloudwatch")
_RESPONSES = Seam("core.responses")
_CHECK_S = 1.0

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}

_log = logging.getLogger("reprise")


def apply(_options: EngineOptions) -> None:
    """Evaluate alarms ourselves, once a second and whenever ministack would."""
    _CLOUDWATCH.replace("_evaluate_alarm", _evaluate)
    threading.Thread(target=_watch, name="reprise-alarms", daemon=True).start()


def decide_state(datapoints: list[bool | None], *, needed: int, missing: str, current: str) -> str:
    """Return an alarm's state from its last periods.

    Args:
        datapoints: Whether each period breaches; None where data is missing.
        needed: Datapoints to alarm, the M of M out of N.
        missing: TreatMissingData.
        current: The state so far.
    """
    known = [breaching for breaching in datapoints if breaching is not None]
    if not known and missing in {"missing", "ignore"}:
        return current if missing == "ignore" else "INSUFFICIENT_DATA"
    filled = {"breaching": True, "notBreaching": False}.get(missing)
    counted = known if filled is None else [filled if b is None else b for b in datapoints]
    return "ALARM" if sum(counted) >= needed else "OK"


def _watch() -> None:
    while True:
        time.sleep(_CHECK_S)
        for (account, region, _), alarm in list(_CLOUDWATCH["_alarms"]._data.items()):  # noqa: SLF001
            _RESPONSES["_request_account_id"].set(account)
            _RESPONSES["_request_region"].set(region)
            try:
                _evaluate(alarm)
            except Exception:  # noqa: BLE001 - one alarm must not stop the others
                _log.exception("alarm %s cannot be evaluated", alarm.get("AlarmName"))


def _evaluate(alarm: Alarm) -> None:
    compare = _COMPARE.get(alarm.get("ComparisonOperator", ""))
    if compare is None or not alarm.get("MetricName"):
        return
    periods = int(alarm.get("EvaluationPeriods") or 1)
    old = alarm["StateValue"]
    new = decide_state(
        _datapoints(alarm, compare, periods, time.time()),
        needed=int(alarm.get("DatapointsToAlarm") or periods),
        missing=alarm.get("TreatMissingData") or "missing",
        current=old,
    )
    if new == old:
        return
    comparison = f"{alarm['ComparisonOperator']} {alarm.get('Threshold')}"
    reason = f"{alarm['MetricName']} over the last {periods} periods: {comparison} gives {new}"
    alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    _CLOUDWATCH["_record_history"](alarm["AlarmName"], old, new, reason)
    _CLOUDWATCH["_dispatch_alarm_actions"](alarm, old, new, reason)
    _CLOUDWATCH["_evaluate_parent_alarms"](alarm)


def _datapoints(
    alarm: Alarm, compare: Callable[[float, float], bool], periods: int, now: float
) -> list[bool | None]:
    """Return whether each of the last periods breaches, the oldest first.

    The period that runs counts when it breaches already and cannot take that back,
    which is true of a Greater… comparison.
    """
    dimensions = _CLOUDWATCH["_dims_from_list"](alarm.get("Dimensions") or [])
    key = (alarm["Namespace"], alarm["MetricName"], _CLOUDWATCH["_dims_key"](dimensions))
    period_s = int(alarm.get("Period") or 60)
    started = now // period_s * period_s
    by_period: dict[int, list[dict[str, Any]]] = {}
    for point in list(_CLOUDWATCH["_metrics"].get(key) or []):
        index = int((point["Timestamp"] - started) // period_s)
        if -periods <= index <= 0:
            by_period.setdefault(index, []).append(point)

    def breaches(index: int) -> bool | None:
        points = by_period.get(index)
        if not points:
            return None
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        stats = _CLOUDWATCH["_calc_stats"](points)
        value = _CLOUDWATCH["_stat_value"](stats, statistic, points)
        return None if value is None else compare(value, float(alarm.get("Threshold") or 0))

    complete = [breaches(index) for index in range(-periods, 0)]
    is_upper = alarm["ComparisonOperator"].startswith("Greater")
    return [*complete[1:], True] if is_upper and breaches(0) else complete
