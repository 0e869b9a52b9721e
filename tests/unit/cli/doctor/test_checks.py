"""Each check: silent on a stack that is well, and what it says of one that is not."""

from __future__ import annotations

from typing import Any

import pytest

from reprise_cli.doctor.check import CheckStatus, diagnose
from reprise_cli.doctor.checks import CHECKS
from reprise_cli.doctor.policies import Allowances
from reprise_cli.doctor.read import NotRead
from reprise_cli.doctor.things import (
    FilterFacts,
    RoleFacts,
    StackFacts,
    TopicFacts,
)
from unit.cli.doctor.healthy import (
    GROUP,
    OUTPUTS,
    STREAM,
    TARGET,
    alarm,
    caller,
    facts,
    function,
    problems,
    run,
)
from unit.cli.doctor.sick import SICK


def test_a_healthy_stack_passes_every_check() -> None:
    diagnosis = diagnose(CHECKS, facts())
    assert [each.check for each in diagnosis.findings] == [check.name for check in CHECKS]
    assert {each.status for each in diagnosis.findings} == {CheckStatus.OK}


def test_no_two_checks_have_one_name() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("check", "changes", "says"), SICK, ids=[f"{check}: {says}" for check, _, says in SICK]
)
def test_what_is_wrong_is_said_with_what_to_do(
    check: str, changes: dict[str, Any], says: str
) -> None:
    found = [each for each in run(check, facts(**changes)) if each.status is CheckStatus.PROBLEM]
    assert [says in each.says for each in found].count(True) == 1, found
    assert all(each.mend and each.page.partition("#")[0].endswith(".md") for each in found)


def test_every_check_has_a_row_of_what_is_wrong_or_only_says_that_it_cannot_tell() -> None:
    never_wrong = {"function-network", "caller-network", "alarm-data"}
    assert {check.name for check in CHECKS} - {check for check, _, _ in SICK} == never_wrong


def test_a_role_that_lost_an_action_and_one_that_is_denied_it_are_told_apart() -> None:
    wanted = Allowances(frozenset({"s3:GetObject", "sqs:SendMessage"}), frozenset({"kms:*"}))
    lost = RoleFacts(has=Allowances(frozenset({"s3:get*"}), wanted.denies), wanted=wanted)
    denied = RoleFacts(
        has=Allowances(wanted.allows, wanted.denies | {"sqs:*", "ec2:*"}), wanted=wanted
    )
    assert problems("role-actions", facts(roles={"r": lost})) == ["role r has lost sqs:SendMessage"]
    assert problems("role-actions", facts(roles={"r": denied})) == ["role r is denied sqs:*"]


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("function-network", {"functions": {"f": function("f", in_vpc=True)}}),
        ("caller-network", {"callers": {"f": caller(in_vpc=True)}}),
        ("alarm-data", {"alarms": {"w": alarm(state="INSUFFICIENT_DATA")}}),
        (
            "role-actions",
            {"roles": {"r": RoleFacts(has=Allowances(), wanted=Allowances(), boundary="b")}},
        ),
        ("queue-visibility", {"mappings": NotRead("lambda:List is not allowed to you")}),
        ("function-held", {"functions": {"f": function("f", reserved=NotRead("no"))}}),
        ("alarm-there", {"resources": NotRead("no")}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_nobody_here_can_tell_is_no_problem(check: str, changes: dict[str, Any]) -> None:
    (found,) = run(check, facts(**changes))
    assert (found.status, bool(found.says)) == (CheckStatus.CANNOT_TELL, True)


def test_one_queue_that_cannot_be_read_hides_no_other() -> None:
    queues = {"a": NotRead("sqs:GetQueueAttributes is not allowed to you"), "b": None}
    found = [each.status for each in run("queue-there", facts(queues=queues))]
    assert found == [CheckStatus.PROBLEM, CheckStatus.CANNOT_TELL]


def test_of_a_stack_that_is_not_up_only_that_is_told() -> None:
    failed = StackFacts(status="ROLLBACK_COMPLETE", why=("B: reprise-bucket already exists",))
    diagnosis = diagnose(CHECKS, facts(is_up=False, stacks={"reprise": failed}))
    (problem,) = diagnosis.of(CheckStatus.PROBLEM)
    assert "reprise-bucket already exists" in problem.says
    assert "reprise cleanup" in problem.mend
    assert [each.check for each in diagnosis.of(CheckStatus.OK)] == ["clock"]


def test_a_nested_stack_that_a_rollback_deleted_is_told_of_only_with_its_cause() -> None:
    gone, cause = (
        StackFacts(status="DELETE_COMPLETE"),
        StackFacts(status="DELETE_COMPLETE", why=("x",)),
    )
    assert problems("stack-complete", facts(stacks={"a": gone})) == []
    assert problems("stack-complete", facts(stacks={"a": cause})) == [
        "stack a is DELETE_COMPLETE: x"
    ]


def test_commands_of_ours_name_a_stack_that_is_not_called_as_we_propose() -> None:
    (found,) = run("policy-paused", facts(stack="shop", policy='{"default": {"enabled": false}}'))
    assert "`reprise --stack-name shop policy resume --all`" in found.mend


def test_who_is_told_by_slack_alone_needs_no_subscription() -> None:
    slack = {"SlackWebhookUrl": "https://hooks.slack.com/x"}
    assert (
        problems(
            "incident-heard", facts(topic=TopicFacts(confirmed=0, pending=0), parameters=slack)
        )
        == []
    )


def test_an_alarm_that_rings_leads_to_its_own_runbook() -> None:
    (found,) = run("alarm-quiet", facts(alarms={"w": alarm(state="ALARM")}))
    assert found.page == "runbooks/waiting.md"


def test_the_command_that_puts_the_filter_back_names_stream_and_role() -> None:
    (found,) = run("filter-there", facts(filters={GROUP: ()}))
    assert found.mend.endswith(
        f"--destination-arn {STREAM} --role-arn arn:aws:iam::111122223333:role/f-role"
    )


def test_a_group_with_two_filters_of_others_has_no_room_for_ours() -> None:
    others = tuple(FilterFacts(name=name, pattern="", destination="d") for name in ("a", "b"))
    (says,) = problems("filter-there", facts(filters={GROUP: others}))
    assert "has the filters a, b" in says


def test_an_image_with_the_endpoint_in_it_needs_no_layer() -> None:
    image = caller(layers=(), runtime="")
    assert problems("caller-endpoint", facts(callers={"f": image})) == []


def test_a_star_among_targets_takes_any_policy_of_its_beginning() -> None:
    outputs = {**OUTPUTS, "TargetArns": TARGET.replace("orders", "guest-*")}
    policy = '{"targets": {"guest-1": {}}}'
    assert problems("policy-names", facts(outputs=outputs, policy=policy)) == []
