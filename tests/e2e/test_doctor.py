"""`reprise doctor` on a stack of its own: a healthy one, and each of the planted misconfigurations."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from e2e.ailment_table_kept import AILMENTS
from e2e.another_stack import at_work, leave_nothing_of
from e2e.patient import SHOP, SHOP_ROLE, TARGET, TARGET_ARN, Patient, batches
from reprise_cli.doctor.check import CheckGroup, CheckStatus
from reprise_cli.main import app
from reprise_cli.place import exports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.patient import Ailment
    from e2e.world import World
    from reprise_cli.deploy import Deployment

STACK = "doctor"


pytestmark = pytest.mark.slow
"""A stack of its own, and fifty things that are planted in it."""


@pytest.fixture(scope="module")
def patient(world: World, deployment: Deployment) -> Iterator[Patient]:
    """Deploy a stack for these tests, with all that a careful operator does besides."""
    world.make_function(TARGET)
    changes = (f"Targets={TARGET_ARN}", "LongestTargetTimeout=30", f"FrontDoors={TARGET}")
    replace(deployment, stack_name=STACK, changes=changes).deploy()
    patient = Patient(at_work(world, STACK), STACK)
    world.subscribe(f"{STACK}-incidents")
    done = world.look("doors", "apply", "--stack-name", STACK)
    assert done.code == 0, done.stderr
    _open_shop(patient)
    for name in ("filters-missing", "holding", "quarantine", "waiting"):
        # What no call has told of yet.
        patient.set_alarm(name, "OK")
    yield patient
    world.look("sources", "remove", SHOP, "--stack-name", STACK)
    for name in (SHOP, TARGET):
        world.functions.delete_function(FunctionName=name)
    leave_nothing_of(world, STACK)


def _open_shop(patient: Patient) -> None:
    """Make a caller with the endpoint's variable, a layer, a source, and a role that may do all it needs."""
    iam, functions = patient["iam"], patient["lambda"]
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    call = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": TARGET_ARN}
    made = iam.create_role(RoleName=SHOP_ROLE, AssumeRolePolicyDocument=_policy(trust))
    iam.put_role_policy(RoleName=SHOP_ROLE, PolicyName="call", PolicyDocument=_policy(call))
    model = functions.get_function_configuration(FunctionName=f"{STACK}-replayer")
    patient.world.make_function(SHOP)
    functions.update_function_configuration(
        FunctionName=SHOP,
        Role=made["Role"]["Arn"],
        Layers=[layer["Arn"] for layer in model["Layers"]],
        Environment={
            "Variables": {
                "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9350",
                "REPRISE_STACK": STACK,
            }
        },
    )
    options = ("--targets", TARGET, "--role", SHOP_ROLE, "--stack-name", STACK)
    done = patient.world.look("sources", "add", SHOP, *options)
    assert done.code == 0, done.stderr


def _policy(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def look(patient: Patient, *options: str) -> tuple[int, dict[str, Any]]:
    done = patient.world.look("doctor", "--json", "--stack-name", STACK, *options)
    assert done.stdout, done.stderr
    return done.code, done.document


def told(document: dict[str, Any], status: CheckStatus) -> list[dict[str, str]]:
    return [each for each in document["findings"] if each["status"] == status]


def planted(document: dict[str, Any]) -> list[dict[str, str]]:
    """Return the problems but for alarms that ring by themselves.

    The stack's own observer sees some of what is planted; when depends on the machine.
    """
    return [
        each
        for each in told(document, CheckStatus.PROBLEM)
        if each["check"] != "alarm-quiet" or f"{STACK}-waiting" in each["says"]
    ]


def test_a_healthy_stack_has_no_problem_and_what_cannot_be_told_is_said(patient: Patient) -> None:
    code, document = look(patient)
    assert told(document, CheckStatus.PROBLEM) == []
    assert code == 0
    assert [each["check"] for each in told(document, CheckStatus.CANNOT_TELL)] == ["drift"]
    assert document["undecided"]
    assert {each["group"] for each in told(document, CheckStatus.OK)} == set(CheckGroup)


@pytest.mark.parametrize(
    "part", batches(AILMENTS), ids=lambda part: f"{next(iter(part))} and {len(part) - 1} more"
)
def test_each_planted_misconfiguration_is_named_with_its_mend_and_nothing_else(
    patient: Patient, part: dict[str, Ailment]
) -> None:
    with ExitStack() as undone:
        for ailment in part.values():
            undone.callback(ailment.plant(patient))
        code, document = look(patient)
    problems = planted(document)
    assert code == 1
    named = {name for name, ailment in part.items() if any(_is(ailment, each) for each in problems)}
    assert named == set(part), problems
    assert {each["check"] for each in problems} == {each.check for each in part.values()}
    assert all(each["page"].startswith("docs/") for each in problems)


def _is(ailment: Ailment, problem: dict[str, str]) -> bool:
    is_named = ailment.check == problem["check"] and ailment.says in problem["says"]
    return is_named and ailment.mend in problem["mend"]


def test_all_is_well_again_when_each_is_undone(patient: Patient) -> None:
    _, document = look(patient)
    assert planted(document) == []


def test_drift_is_found_where_it_is_looked_for(patient: Patient) -> None:
    _, document = look(patient, "--drift")
    assert (planted(document), told(document, CheckStatus.CANNOT_TELL)) == ([], [])
    undo = AILMENTS["lines kept for ever"].plant(patient)
    try:
        _, document = look(patient, "--drift")
    finally:
        undo()
    (drifted,) = [each for each in told(document, CheckStatus.PROBLEM) if each["check"] == "drift"]
    assert "ObserverLogGroup (RetentionInDays)" in drifted["says"]


def test_who_may_read_nothing_but_the_stack_is_told_what_is_missing(patient: Patient) -> None:
    iam = patient["iam"]
    iam.create_user(UserName="doctor-intern")
    may = {"Effect": "Allow", "Action": ["cloudformation:Describe*", "sts:*"], "Resource": "*"}
    iam.put_user_policy(UserName="doctor-intern", PolicyName="look", PolicyDocument=_policy(may))
    key = iam.create_access_key(UserName="doctor-intern")["AccessKey"]
    environment = exports(patient.world.place) | {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    done = CliRunner().invoke(app, ["doctor", "--json", "--stack-name", STACK], env=environment)
    document = json.loads(done.stdout)
    assert (done.exit_code, told(document, CheckStatus.PROBLEM)) == (0, [])
    says = {each["check"]: each["says"] for each in told(document, CheckStatus.CANNOT_TELL)}
    assert says["filter-there"] == "logs:DescribeSubscriptionFilters is not allowed to you"
    assert says["queue-there"] == "cloudformation:ListStackResources is not allowed to you"
    assert "policy-valid" in says


def test_a_report_holds_no_account_and_no_key_and_shows_who_made_it(
    patient: Patient, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    undo = AILMENTS["target gone"].plant(patient)
    try:
        code, _ = look(patient, "--report", str(path))
    finally:
        undo()
    text = path.read_text()
    assert code == 1
    assert f"ACCOUNT-1:function:{TARGET} is not there" in text
    secret = patient["secretsmanager"].get_secret_value(SecretId=f"{STACK}/source/operator")
    key = json.loads(secret["SecretString"])["k1"]
    assert ("000000000000" in text, key in text) == (False, False)

    checked = patient.world.look("doctor", "--check", str(path), "--json", "--stack-name", STACK)
    assert (checked.code, checked.document["signature"]) == (0, "valid")
    elsewhere = patient.world.look("doctor", "--check", str(path), "--json")
    assert (elsewhere.code, elsewhere.document["signature"]) == (0, "not checked")
    path.write_text(text.replace("is not there", "is there"))
    altered = patient.world.look("doctor", "--check", str(path), "--stack-name", STACK)
    assert altered.code == 1
    assert "it was altered, or cut" in altered.stderr
