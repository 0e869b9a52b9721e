"""What a deployer meets: parameters, prompts, outputs and samconfig.toml."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from template.conftest import JOB, TARGET
from template.deployment import LOCAL, Deployment
from template.templates import ADDON_SOURCES, REPOSITORY, ROOT, SOURCES, read, transformed

if TYPE_CHECKING:
    from pathlib import Path

PARAMETERS = read(SOURCES[0])["Parameters"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_explains_itself(name: str) -> None:
    parameter = PARAMETERS[name]
    assert parameter["Description"]
    assert parameter["ConstraintDescription"].startswith("must be ")
    assert "Default" in parameter
    assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_can_be_left_empty_in_the_guided_deployment(name: str) -> None:
    """`sam deploy --guided` offers no default where NoEcho is set, and repeats its question for ever."""
    assert not PARAMETERS[name].get("NoEcho")


def test_the_dialogue_asks_in_the_order_of_the_console_what_is_needed_on_day_one_first() -> None:
    groups = read(SOURCES[0])["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert [name for group in groups for name in group["Parameters"]] == [*PARAMETERS]
    assert [*PARAMETERS][:5] == [
        "Targets",
        "LongestTargetTimeout",
        "ChaosTarget",
        "IncidentEmail",
        "SlackWebhookUrl",
    ]


def test_there_are_at_most_twenty_parameters_of_which_one_must_be_given() -> None:
    assert len(PARAMETERS) <= 20
    rules = read(SOURCES[0])["Rules"]
    # All have a default that every rule takes, but Targets: a stack for nothing is refused.
    assert Deployment({"Targets": TARGET}).outputs["TargetArns"] == TARGET
    [needed] = rules["SomethingMayBeCalled"]["Assertions"]
    assert needed["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Targets"}, ""]}]}
    others = {name: rule for name, rule in rules.items() if name != "SomethingMayBeCalled"}
    for rule in others.values():
        [[name, default]] = rule["RuleCondition"]["Fn::Not"][0].values()
        assert PARAMETERS[name["Ref"]]["Default"] == default, "so the rule asks nothing"


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("Targets", ""),
        ("Targets", TARGET),
        ("Targets", f"{TARGET},arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:team-*"),
        ("Targets", JOB),
        ("Targets", f"{TARGET},{JOB}*"),
        ("ExtraLogGroups", ""),
        ("ExtraLogGroups", "/aws/lambda/orders,custom.group_1#x-y"),
        ("ExtraLogGroups", "a,b,c,d,e"),
        ("CaptureOutcomes", "throttled"),
        ("CaptureOutcomes", "throttled,unknown"),
        ("KmsKeyArn", ""),
        ("KmsKeyArn", "arn:aws:kms:eu-west-1:111122223333:key/mrk-0a1b"),
        ("AlarmTopicArn", "arn:aws:sns:eu-west-1:111122223333:alarms"),
        ("FrontDoors", ""),
        ("FrontDoors", "orders"),
        (
            "FrontDoors",
            "orders,checkout=orders:live,7up=arn:aws:lambda:eu-west-1:111122223333:function:x",
        ),
        ("InvokerReservedConcurrency", "none"),
        ("InvokerReservedConcurrency", "1"),
        ("InvokerReservedConcurrency", "250"),
    ],
)
def test_value_is_allowed(parameter: str, value: str) -> None:
    assert re.fullmatch(PARAMETERS[parameter]["AllowedPattern"], value)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        pytest.param("Targets", "orders", id="target-by-name"),
        pytest.param("Targets", f"{TARGET}:live", id="target-with-qualifier"),
        pytest.param("Targets", f"{TARGET}, {TARGET}", id="targets-with-blank"),
        pytest.param("Targets", f"{JOB}:3", id="job-definition-with-revision"),
        pytest.param("Targets", JOB.replace("definition", "queue"), id="job-queue"),
        pytest.param("Targets", "*", id="any-target"),
        pytest.param("Targets", "arn:aws:lambda:eu-west-1:*:function:x", id="any-account"),
        pytest.param(
            "Targets", "arn:aws:lambda:eu-west-1:111122223333:function:*", id="any-function"
        ),
        pytest.param("ExtraLogGroups", "/reprise/reprise/replayer", id="group-of-the-pipeline"),
        pytest.param("ExtraLogGroups", "/a,/reprise/x/y", id="group-of-the-pipeline-second"),
        pytest.param("ExtraLogGroups", "a,b,c,d,e,f", id="six-groups"),
        pytest.param("CaptureOutcomes", "", id="no-outcome"),
        pytest.param("CaptureOutcomes", "succeeded", id="not-captured"),
        pytest.param("KmsKeyArn", "alias/mine", id="key-alias"),
        pytest.param("FrontDoors", "orders, mail", id="doors-with-blank"),
        pytest.param("FrontDoors", "7", id="door-that-is-a-number"),
        pytest.param("FrontDoors", "orders,12=orders", id="door-that-is-a-number-second"),
        pytest.param("FrontDoors", "orders=", id="door-to-nothing"),
        pytest.param("FrontDoors", "orders:live", id="door-with-qualifier"),
        pytest.param("InvokerReservedConcurrency", "0", id="invoker-that-runs-never"),
        pytest.param("InvokerReservedConcurrency", "-1", id="negative-concurrency"),
        pytest.param("InvokerReservedConcurrency", "", id="no-concurrency-said"),
    ],
)
def test_value_is_refused(parameter: str, value: str) -> None:
    assert not re.fullmatch(PARAMETERS[parameter]["AllowedPattern"], value)


def test_stack_that_may_call_nothing_is_refused() -> None:
    assert transformed(ROOT)["Rules"] == read(SOURCES[0])["Rules"]


@pytest.mark.parametrize("path", SOURCES[1:], ids=lambda path: path.stem)
def test_stack_name_that_makes_no_bucket_name_is_refused(path: object) -> None:
    name = read(next(p for p in SOURCES if p == path))["Parameters"]["Name"]
    longest = "a" * 35
    assert re.fullmatch(name["AllowedPattern"], longest)
    assert len(f"{longest}-111122223333-ap-southeast-1") <= 63
    assert not re.fullmatch(name["AllowedPattern"], "Reprise")
    assert "choose another stack name" in name["ConstraintDescription"]


@pytest.mark.parametrize("path", [*SOURCES, *ADDON_SOURCES], ids=str)
def test_template_uses_no_yaml_aliases(path: Path) -> None:
    """CloudFormation refuses them: User Guide, "Template format"."""
    text = path.read_text()
    assert not re.search(r"(?m)(:|-) [&*][a-z]", text)


def test_outputs_name_everything_that_a_client_or_an_operator_needs(full: Deployment) -> None:
    deployed = {resource.ref for resource in full.resources().values()}
    named = {*full.outputs.values()}
    named.update(*(full.outputs_of(addon).values() for addon in full.addons))
    kinds = {
        "AWS::SQS::Queue",
        "AWS::DynamoDB::Table",
        "AWS::Lambda::Function",
        "AWS::S3::Bucket",
        "AWS::SSM::Parameter",
        "AWS::KinesisFirehose::DeliveryStream",
    }
    assert {r.ref for r in full.resources().values() if r.type in kinds} <= named
    assert full.outputs["CaptureLogGroup"] in deployed
    # Of the keys, those that people sign with: functions know their own.
    assert full.outputs["OperatorSecretArn"] == full["Secrets/OperatorSecret"].ref


def test_template_without_chaos_target_has_no_output_of_it(plain: Deployment) -> None:
    assert "ChaosTargetFunction" not in plain.outputs
    assert not [path for path in plain.resources() if path.startswith("Chaos/")]


def test_local_engine_is_spared_what_it_does_not_know() -> None:
    local = Deployment({"ChaosTarget": "true"}, place=LOCAL)
    assert not local.resources("AWS::Logs::QueryDefinition")


def test_sam_deploy_is_configured_for_nested_stacks_with_roles_and_asks_nothing() -> None:
    config = tomllib.loads((REPOSITORY / "samconfig.toml").read_text())
    for environment in ("default", "local"):
        deploy = config[environment]["deploy"]["parameters"]
        assert deploy["stack_name"] == "reprise"
        assert deploy["resolve_s3"] is True
        assert deploy["confirm_changeset"] is False
        assert deploy["capabilities"].split() == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    overrides = dict(
        pair.split("=")
        for pair in config["local"]["deploy"]["parameters"]["parameter_overrides"].split()
    )
    assert Deployment(overrides).outputs["ChaosTargetFunction"] == "reprise-chaos-target"
