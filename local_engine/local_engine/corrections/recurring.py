"""Restore recurring schedules: time zones, every occurrence once, daylight saving, whole lists.

Stock ministack reads every cron as UTC, loses the occurrences between two of its looks but one,
drops a template's time zone, window and dates, and lists at most a hundred schedules.

Source: EventBridge Scheduler User Guide, "Schedule types" (time zones; "Daylight savings time": a wall
time that is skipped does not run, one that comes twice runs once); API reference, ListSchedules.
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from local_engine.corrections.schedules import Firing
from local_engine.schedule_clock import CLOCK
from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_engine.options import EngineOptions

    type Schedule = dict[str, Any]

_SCHEDULER = Seam("services.scheduler")
_EVENTS = Seam("services.eventbridge")
_PROVISIONERS = Seam("services.cloudformation.provisioners")

_TYPE = "AWS::Scheduler::Schedule"
#: What the provisioner of schedules leaves out.
_DROPPED = ("ScheduleExpressionTimezone", "StartDate", "EndDate", "KmsKeyArn")
_PAGE = 100


class _Recurring:
    """Fires ``cron(…)`` and ``rate(…)`` schedules at each of their instants."""

    def __init__(self, firing: Firing) -> None:
        self._firing = firing
        #: Up to when each schedule has been served, by its key; an update or a set clock makes it new.
        self._served: dict[tuple[str, ...], tuple[object, datetime]] = {}
        self._course = CLOCK.course.number

    def tick(self) -> None:
        # One course for all of it: the clock may be set in the middle, and 24 years are long.
        course = CLOCK.course
        clock_s, real_s = course.now_s(), time.time()
        is_new = course.number != self._course
        for key, schedule in list(_SCHEDULER["_schedules"]._data.items()):  # noqa: SLF001
            if schedule.get("State") != "ENABLED":
                self._served.pop(key, None)
                continue
            is_ruled = course.rules(schedule["GroupName"])
            now_s = clock_s if is_ruled else real_s
            now = datetime.fromtimestamp(now_s, UTC)
            version = (
                schedule["ScheduleExpression"],
                schedule.get("ScheduleExpressionTimezone"),
                schedule["LastModificationDate"],
            )
            seen, since = self._served.get(key, (None, now))
            if seen != version:
                since = now
            if is_ruled and is_new:
                # Nothing between the setting of the clock and our first look at it is lost.
                since = datetime.fromtimestamp(course.set_at_s() or now_s, UTC)
            due = [at for at in occurrences(schedule, since, now) if _is_within(schedule, at)]
            self._served[key] = (version, now)
            for at in due:
                threading.Thread(
                    target=contextvars.Context().run,
                    args=(self._firing.fire, key, schedule, at.timestamp()),
                    daemon=True,
                ).start()
        self._course = course.number
        CLOCK.serve(course, clock_s)


def occurrences(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the instants of a schedule after one instant, up to another."""
    expression = schedule.get("ScheduleExpression", "")
    every_s = _EVENTS["_parse_rate_seconds"](expression)
    if every_s is not None:
        created = datetime.fromtimestamp(float(schedule["CreationDate"]), UTC)
        passed = (after - created) // timedelta(seconds=every_s)
        at = created + (passed + 1) * timedelta(seconds=every_s)
        while at <= until:
            yield at
            at += timedelta(seconds=every_s)
        return
    fields = _EVENTS["_parse_cron_fields"](expression)
    if fields is None or until <= after:
        return
    zone = ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")
    # ministack's arithmetic on the wall clock, from a day before: see the daylight saving rule above.
    wall = after.astimezone(zone).replace(tzinfo=UTC) - timedelta(days=1)
    last = until.astimezone(zone).replace(tzinfo=UTC) + timedelta(days=1)
    while (found := _EVENTS["_cron_next_fire"](fields, wall)) is not None and found <= last:
        wall = found
        instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        exists = instant.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None)
        if exists and after < instant <= until:
            yield instant


def _is_within(schedule: Schedule, at: datetime) -> bool:
    start, end = (_SCHEDULER["_to_epoch"](schedule.get(name)) for name in ("StartDate", "EndDate"))
    return (start is None or at.timestamp() >= start) and (end is None or at.timestamp() <= end)


def apply(options: EngineOptions) -> None:
    """Fire recurring schedules ourselves, keep what templates say of them, and list all of them."""
    recurring = _Recurring(Firing(options.url))
    one_time_tick = _SCHEDULER["_tick_schedules"]

    def tick() -> None:
        one_time_tick()
        recurring.tick()

    _SCHEDULER.replace("_tick_schedules", tick)
    _SCHEDULER.replace("_list_schedules", _list_schedules)
    handlers: dict[str, Any] = _PROVISIONERS["_RESOURCE_HANDLERS"][_TYPE]
    create, update = handlers["create"], handlers["update"]

    def create_schedule(
        logical_id: str, properties: dict[str, Any], stack_name: str
    ) -> tuple[str, dict[str, Any]]:
        name, attributes = create(logical_id, properties, stack_name)
        _keep(name, properties)
        return name, attributes

    def update_schedule(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str
    ) -> tuple[str, dict[str, Any]]:
        name, attributes = update(physical_id, old, new, stack_name)
        _keep(name, new)
        return name, attributes

    handlers.update(create=create_schedule, update=update_schedule)


def _keep(name: str, properties: dict[str, Any]) -> None:
    schedule = _SCHEDULER["_schedules"][f"{properties.get('GroupName', 'default')}/{name}"]
    for dropped in _DROPPED:
        schedule[dropped] = properties.get(dropped)
    schedule["ScheduleExpressionTimezone"] = properties.get("ScheduleExpressionTimezone", "UTC")
    schedule["LastModificationDate"] = _SCHEDULER["_now"]()


def _list_schedules(query: dict[str, str]) -> Any:
    """List by pages, in order of name."""
    _SCHEDULER["_ensure_default_group"]()
    wanted = (query.get("ScheduleGroup"), query.get("NamePrefix", ""), query.get("State"))
    found = [
        schedule
        for schedule in _SCHEDULER["_schedules"].values()
        if wanted[0] in (None, schedule["GroupName"])
        and schedule["Name"].startswith(wanted[1])
        and wanted[2] in (None, schedule["State"])
    ]
    found.sort(key=lambda schedule: (schedule["GroupName"], schedule["Name"]))
    start = int(query.get("NextToken") or 0)
    size = int(query.get("MaxResults") or _PAGE)
    page = found[start : start + size]
    names = ("Arn", "Name", "GroupName", "State", "CreationDate", "LastModificationDate")
    summaries = [
        {**{name: schedule[name] for name in names}, "Target": {"Arn": schedule["Target"]["Arn"]}}
        for schedule in page
    ]
    answer: dict[str, Any] = {"Schedules": summaries}
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
