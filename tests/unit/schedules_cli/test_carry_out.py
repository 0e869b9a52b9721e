"""An apply that is interrupted anywhere is finished by the next one."""

from __future__ import annotations

import json
from threading import Lock
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprise_cli.exits import CommandError
from reprise_schedules_cli.schedule.carry_out import Policies, carry_out
from reprise_schedules_cli.schedule.group import MARKER, Group
from reprise_schedules_cli.schedule.plan import make_plan
from strategies import NOW


class Interrupted(Exception):  # noqa: N818 - no error, a test's cut
    """The process ends here."""


class FakeScheduler:
    """A schedule group in memory that ends the process after some changes."""

    class exceptions:  # noqa: N801 - as boto3 spells it
        class ConflictException(Exception):  # noqa: N818 - as above
            pass

        class ResourceNotFoundException(Exception):  # noqa: N818 - as above
            pass

    def __init__(self) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.left = 10**9
        self._lock = Lock()

    def _change(self) -> None:
        with self._lock:
            self.left -= 1
            if self.left < 0:
                raise Interrupted

    def create_schedule(self, **request: Any) -> None:
        self._change()
        if request["Name"] in self.there:
            raise self.exceptions.ConflictException
        self.there[request["Name"]] = request

    def update_schedule(self, **request: Any) -> None:
        self._change()
        self.there[request["Name"]] = request

    def get_schedule(self, **request: str) -> dict[str, Any]:
        if request["Name"] not in self.there:
            raise self.exceptions.ResourceNotFoundException
        return self.there[request["Name"]]

    def delete_schedule(self, **request: str) -> None:
        self._change()
        if request["Name"] not in self.there:
            raise self.exceptions.ResourceNotFoundException
        del self.there[request["Name"]]


class FakeParameters:
    """The policy document."""

    def __init__(self) -> None:
        self.text = '{"default": {}, "targets": {"orders": {"maximum_attempts": 9}}}'
        self.version = 1

    def get_parameter(self, **_: str) -> dict[str, Any]:
        said = {"Value": self.text, "Version": self.version, "LastModifiedDate": NOW}
        return {"Parameter": said}

    def put_parameter(self, **request: Any) -> dict[str, int]:
        self.text = request["Value"]
        self.version += 1
        return {"Version": self.version}


def schedules(names: set[int], state: str = "ENABLED") -> list[dict[str, Any]]:
    return [
        {"Name": f"job-{name}", "State": state, "Description": MARKER, "Target": {"Input": "{}"}}
        for name in sorted(names)
    ]


@given(
    before=st.sets(st.integers(0, 12)),
    after=st.sets(st.integers(0, 12)),
    cuts=st.lists(st.integers(0, 6), max_size=4),
)
def test_interrupted_apply_converges(before: set[int], after: set[int], cuts: list[int]) -> None:
    scheduler: Any = FakeScheduler()
    scheduler.there = {entry["Name"]: entry for entry in schedules(before)}
    group = Group(client=scheduler, name="jobs")
    parameters: Any = FakeParameters()
    policies = Policies(parameters, "/policy")
    wanted = schedules(after)

    def apply() -> int:
        fields = {"orders": {"idempotent": True}}
        plan = make_plan(wanted, dict(scheduler.there), fields, policies.read())
        carry_out(plan, group, policies, lambda _: None)
        return len(plan.steps)

    for cut in cuts:
        scheduler.left = cut
        try:
            apply()
        except Interrupted:
            continue
    scheduler.left = 10**9
    apply()
    assert apply() == 0
    assert scheduler.there == {entry["Name"]: entry for entry in wanted}
    expected = {"maximum_attempts": 9, "idempotent": True}
    assert json.loads(parameters.text)["targets"]["orders"] == expected


def test_schedule_that_is_there_already_or_gone_already_is_no_error() -> None:
    scheduler: Any = FakeScheduler()
    group = Group(client=scheduler, name="jobs")
    (entry,) = schedules({1})
    group.create(entry)
    group.create({**entry, "State": "DISABLED"})
    assert scheduler.there["job-1"]["State"] == "DISABLED"
    group.delete("job-1")
    group.delete("job-1")
    assert scheduler.there == {}


def test_a_name_that_no_schedule_has_is_refused_and_others_schedules_are_only_looked_at() -> None:
    scheduler: Any = FakeScheduler()
    scheduler.there = {"mine": {"Description": MARKER}, "theirs": {"Description": "by hand"}}
    group = Group(client=scheduler, name="jobs")
    assert group.find("mine") == group.look_up("mine")
    assert group.look_up("theirs")["Description"] == "by hand"
    with pytest.raises(CommandError, match="'theirs' is not of a file of jobs"):
        group.find("theirs")
    with pytest.raises(CommandError, match="there is no job 'misspelt'"):
        group.look_up("misspelt")


def test_other_refusals_are_told() -> None:
    scheduler: Any = FakeScheduler()
    scheduler.left = 0
    with pytest.raises(Interrupted):
        Group(client=scheduler, name="jobs").delete("job-1")


def test_what_a_job_sets_replaces_what_the_document_says_by_its_old_name() -> None:
    parameters: Any = FakeParameters()
    orders = {"max_attempts": 9, "max_age_s": 60}
    document = {"default": {"coefficient": 3}, "targets": {"orders": orders}}
    parameters.text = json.dumps(document)
    Policies(parameters, "/policy").set({"orders": {"maximum_attempts": 2}})
    assert json.loads(parameters.text) == {
        "default": {"coefficient": 3},
        "targets": {"orders": {"maximum_attempts": 2, "max_age_s": 60}},
    }


def test_a_policy_document_that_a_parameter_cannot_hold_is_refused_before_anything_changes() -> (
    None
):
    parameters, scheduler = FakeParameters(), FakeScheduler()
    before = parameters.text
    policies = Policies(parameters, "/reprise/policy")  # type: ignore[arg-type]
    fields = {f"job-{number}": {"maximum_attempts": 3, "max_age_s": 60} for number in range(120)}
    plan = make_plan(schedules({1}), {}, fields, policies.read())
    with pytest.raises(CommandError, match=r"policy: the document would have"):
        carry_out(plan, Group(client=scheduler, name="jobs"), policies, lambda _: None)  # type: ignore[arg-type]
    assert parameters.text == before
    assert scheduler.there == {}
