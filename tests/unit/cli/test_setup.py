from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reprise.errors import BadRequestError
from reprise_cli.chaos.setup import ChaosOptions, TargetUnderTest, find_quarry
from reprise_cli.exits import CommandError, ExitCode
from reprise_cli.stack import Stack, from_outputs, schedules_from_outputs
from unit.cli.test_stack import OUTPUTS, SCHEDULES

CAPTURE = Path(__file__).parents[3] / "infra" / "capture.yaml"
PREFIX = "arn:aws:lambda:eu-west-1:123456789012:function:"


def make_stack(*, has_chaos: bool = True) -> Stack:
    chaos = {"ChaosTargetFunction": "reprise-chaos-target", "ReceiptsTable": "reprise-receipts"}
    targets = {"TargetArns": f"{PREFIX}orders,{PREFIX}reprise-chaos-target"}
    return from_outputs("reprise", OUTPUTS | targets | (chaos if has_chaos else {}), "ok")


def test_the_stacks_own_target_is_held_unless_another_is_named() -> None:
    expected = TargetUnderTest(function="reprise-chaos-target", receipts_table="reprise-receipts")
    assert find_quarry(make_stack(), ChaosOptions()) == expected


def test_another_target_needs_its_receipts() -> None:
    wishes = ChaosOptions(target=f"{PREFIX}orders", receipts_table="mine")
    expected = TargetUnderTest(function="orders", receipts_table="mine")
    assert find_quarry(make_stack(has_chaos=False), wishes) == expected
    with pytest.raises(CommandError, match="--receipts-table"):
        find_quarry(make_stack(), ChaosOptions(target="orders"))


@pytest.mark.parametrize(
    "name", ["reprise-invoker", f"{PREFIX}reprise-replayer", "reprise-unpacker"]
)
def test_functions_of_the_pipeline_are_refused(name: str) -> None:
    with pytest.raises(CommandError, match="part of the pipeline") as caught:
        find_quarry(make_stack(), ChaosOptions(target=name))
    assert caught.value.code is ExitCode.USAGE


def test_functions_of_the_add_on_are_refused_where_it_is_deployed() -> None:
    schedules = schedules_from_outputs("reprise-schedules", SCHEDULES, "ok")
    wishes = ChaosOptions(target="reprise-schedules-runner")
    with pytest.raises(CommandError, match="part of the pipeline"):
        find_quarry(make_stack(), wishes, schedules)
    with pytest.raises(BadRequestError, match="not an allowed target"):
        find_quarry(make_stack(), wishes)


def test_a_function_outside_the_list_is_refused() -> None:
    with pytest.raises(BadRequestError, match="not an allowed target"):
        find_quarry(make_stack(), ChaosOptions(target="strangers"))


def test_a_stack_without_a_chaos_target_says_how_to_get_one() -> None:
    with pytest.raises(CommandError, match="ChaosTarget=true"):
        find_quarry(make_stack(has_chaos=False), ChaosOptions())


def test_with_nemeses_calls_have_as_long_again_as_a_killed_readers_message_is_hidden() -> None:
    more_s = ChaosOptions(nemeses=("kill",)).default_timeout_s - ChaosOptions().default_timeout_s
    template = yaml.load(CAPTURE.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - strings only
    hidden_s = float(template["Resources"]["CaptureQueue"]["Properties"]["VisibilityTimeout"])
    assert more_s > hidden_s
