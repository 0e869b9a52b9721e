"""The add-on replies beside the root: nothing goes anywhere that is not listed."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from reprise.aws.config import destinations_parameter
from reprise.call.destinations import Destinations, read_destinations
from reprise.call.reply_to import ReplyTo
from reprise.errors import BadRequestError
from reprise.replies import queue_name
from reprise_replies.replier import STORE_WAIT_S
from reprise_replies.settings import ReplierSettings
from reprise_replies.webhook import TIMEOUT_S, read_keys
from template.conftest import DESTINATIONS, TARGET
from template.deployment import Deployment
from template.templates import ADDONS, REPOSITORY, read


def _sids(deployment: Deployment) -> set[str]:
    role = deployment.function("replier").properties["Role"]
    return {str(statement["Sid"]) for statement in deployment.statements(role)}


_GRANTS = {
    "SendToListedQueues",
    "SignWebhooks",
    "TellEvents",
    "EndTasksOfListedStateMachines",
    "EndCallbacksOfListedFunctions",
}


def test_without_a_list_nothing_may_go_anywhere(beside: Deployment) -> None:
    assert not _sids(beside) & _GRANTS
    settings = ReplierSettings.from_env(beside.environment("replier"))
    assert settings.destinations == Destinations(stack="reprise", events="false")


def test_each_list_allows_its_own_kind_and_no_other() -> None:
    for name, value in DESTINATIONS.items():
        deployment = Deployment({"Targets": TARGET}, addons={"replies": {name: value}})
        assert len(_sids(deployment) & _GRANTS) == 1, name


def test_door_and_replier_are_told_the_same(full: Deployment) -> None:
    parameter = full["Replies/Destinations"].properties
    assert parameter["Name"] == destinations_parameter("reprise")
    said = full.environment("replier")["REPRISE_REPLY_DESTINATIONS"]
    assert parameter["Value"] == said
    found = read_destinations(said)
    assert found.queues == DESTINATIONS["ReplyQueues"]
    assert found.webhooks == DESTINATIONS["ReplyWebhooks"]


def test_the_pipelines_own_queues_take_no_results(plain: Deployment, full: Deployment) -> None:
    said = read_destinations(full.environment("replier")["REPRISE_REPLY_DESTINATIONS"])
    arns = [queue.arn for queue in plain.resources("AWS::SQS::Queue").values()]
    arns.append(full["Replies/RepliesQueue"].arn)
    listed = msgspec.structs.replace(said, queues=",".join(arns))
    for arn in arns:
        with pytest.raises(BadRequestError, match="the stack's own"):
            listed.resolve(ReplyTo(queue=arn))
    assert len(arns) == 7


def test_a_door_takes_in_who_wants_a_reply_once_those_who_end_calls_may_tell_of_it() -> None:
    template = read(ADDONS["replies"])
    assert template["Resources"]["Destinations"]["DependsOn"] == "TellOfEnds"


def test_those_who_end_calls_may_tell_of_it_and_the_door_may_look(full: Deployment) -> None:
    tell = full["Replies/TellOfEnds"].properties
    assert set(tell["Roles"]) == {full.outputs["ReplayerRole"], full.outputs["UnpackerRole"]}
    (statement,) = tell["PolicyDocument"]["Statement"]
    assert statement["Resource"] == full["Replies/RepliesQueue"].arn
    assert statement["Resource"].rpartition(":")[2] == queue_name("reprise")
    know = full["Replies/KnowDestinations"].properties
    assert know["Roles"] == [full.outputs["InvokerRole"]]
    (statement,) = know["PolicyDocument"]["Statement"]
    assert statement["Resource"].endswith(":parameter/reprise/replies")


def test_the_replier_writes_notes_and_no_rows(full: Deployment) -> None:
    statements = {
        statement["Sid"]: statement
        for statement in full.statements(full.function("replier").properties["Role"])
    }
    keys = statements["NoteDeliveries"]["Condition"]["ForAllValues:StringLike"]
    assert keys == {"dynamodb:LeadingKeys": ["reply#*"]}


def test_a_webhooks_key_is_one_as_standard_webhooks_writes_it(full: Deployment) -> None:
    generated = full["Replies/WebhookSecret"].properties["GenerateSecretString"]
    assert generated["ExcludePunctuation"] is True
    key = "aZ9" * 20
    document = json.loads(generated["SecretStringTemplate"]) | {
        generated["GenerateStringKey"]: key[: int(generated["PasswordLength"])]
    }
    assert len(read_keys(json.dumps(document))[0]) == 33


def test_the_function_outlives_a_delivery_and_its_message_the_function(full: Deployment) -> None:
    timeout_s = int(full.function("replier").properties["Timeout"])
    assert timeout_s > 2 * TIMEOUT_S + STORE_WAIT_S
    queue = full["Replies/RepliesQueue"].properties
    assert int(queue["VisibilityTimeout"]) >= timeout_s + 30
    dead = full["Replies/RepliesDeadLetterQueue"].properties
    assert int(dead["MessageRetentionPeriod"]) > int(queue["MessageRetentionPeriod"])


def test_the_alarm_is_one_that_the_observer_looks_at(full: Deployment) -> None:
    alarm = full["Replies/NotDeliveredAlarm"].properties
    assert alarm["AlarmName"] == "reprise-replies-not-delivered"
    listed = full.environment("observer")["REPRISE_ALARMS"].split(",")
    assert alarm["AlarmName"].removeprefix("reprise-") in listed
    assert (REPOSITORY / "docs/runbooks/replies-not-delivered.md").exists()


@pytest.mark.parametrize(
    ("parameter", "value", "is_allowed"),
    [
        ("ReplyQueues", "arn:aws:sqs:eu-west-1:111122223333:answers", True),
        ("ReplyQueues", "arn:aws:sqs:eu-west-1:111122223333:answers.fifo", False),
        ("ReplyQueues", "arn:aws:sqs:eu-west-1:111122223333:*", False),
        ("ReplyQueues", "*", False),
        ("ReplyWebhooks", "https://hooks.example.com/", True),
        ("ReplyWebhooks", "https://hooks.example.com:8443/in/,https://10.0.0.5/", True),
        ("ReplyWebhooks", "http://127.0.0.1:9000/", True),
        ("ReplyWebhooks", "https://", False),
        ("ReplyWebhooks", "https://hooks.example.com", False),
        ("ReplyWebhooks", "http://hooks.example.com/", False),
        ("ReplyWebhooks", "http://127.0.0.1.evil.example/", False),
        ("ReplyWebhooks", "https://a@hooks.example.com/", False),
        ("ReplyStateMachines", "arn:aws:states:eu-west-1:111122223333:stateMachine:shop-*", True),
        ("ReplyStateMachines", "arn:aws:states:eu-west-1:111122223333:stateMachine:*", False),
        ("ReplyFunctions", "arn:aws:lambda:eu-west-1:111122223333:function:flow", True),
        ("ReplyFunctions", "arn:aws:lambda:eu-west-1:111122223333:function:flow:live", False),
    ],
)
def test_a_list_names_what_it_allows(parameter: str, value: str, *, is_allowed: bool) -> None:
    pattern = read(ADDONS["replies"])["Parameters"][parameter]["AllowedPattern"]
    assert (re.fullmatch(pattern, value) is not None) == is_allowed
