"""The late result comes to the caller: by waiting, by attaching, and where it asked for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from e2e.replies import ACCOUNT, MACHINE
from e2e.world import new_run, poll

if TYPE_CHECKING:
    from e2e.replies import Replies
    from e2e.world import World


def _capture(world: World, guest: str, run: str, **options: Any) -> dict[str, Any]:
    answer = world.call(guest, {"run": run, "call": 1, "behaviour": "ok"}, **options)
    assert answer["StatusCode"] == 202, answer
    block: dict[str, Any] = answer["reprise"]
    return block


def test_a_caller_that_waits_and_one_that_attaches_have_the_outcome_of_one_execution(
    world: World, guest: str
) -> None:
    run = new_run()
    body = {"run": run, "call": 1, "behaviour": "ok"}
    world.hold(guest)
    kept = _capture(world, guest, run, IdempotencyKey=run)

    def attach(_number: int) -> dict[str, Any]:
        return world.call(guest, body, IdempotencyKey=run, WaitSeconds=30)

    with ThreadPoolExecutor(3) as pool:
        status = {"StatusOf": kept["id"], "StatusToken": kept["status_token"], "WaitSeconds": 30}
        waiting = pool.submit(_ask, world, status)
        poll(lambda: world.ledger.get(kept["id"]))
        attached = [pool.submit(attach, number) for number in range(2)]
        world.let_go(guest)
        answers = [each.result() for each in attached]
        told = waiting.result()
    while told["reprise"]["state"] != "succeeded":
        told = _ask(world, status)
    for answer in answers:
        if answer["StatusCode"] == 202:
            answer.update(world.call(guest, body, IdempotencyKey=run, WaitSeconds=30))
        assert answer["StatusCode"] == 200, answer
        assert answer["reprise"] == {**answer["reprise"], "late_result": True, "id": kept["id"]}
    assert len(world.receipts(run)) == 1
    waited = world.look("wait", kept["id"], "--timeout", "5s", "--json")
    assert (waited.code, waited.document["state"]) == (0, "succeeded")


def _ask(world: World, request: dict[str, Any]) -> dict[str, Any]:
    response = world.functions.invoke(FunctionName=world.stack.invoker, Payload=json.dumps(request))
    answer: dict[str, Any] = json.loads(response["Payload"].read())
    return answer


def test_late_results_come_to_a_queue_and_a_signed_webhook_and_status_says_so(
    world: World, guest: str, replies: Replies
) -> None:
    run = new_run()
    world.hold(guest)
    places = ({"queue": replies.queue_url}, {"webhook": f"{replies.webhook}orders"})
    by_queue, by_hook = (_capture(world, guest, run, ReplyTo=place) for place in places)
    world.let_go(guest)

    record = replies.received(by_queue["id"])
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestPayload"] == {"run": run, "call": 1, "behaviour": "ok"}
    (row,) = world.await_end([by_queue["id"]])
    assert json.dumps(record["responsePayload"]).replace(" ", "") == (row.result or "").replace(
        " ", ""
    )
    ((headers, body), *_) = replies.posts(by_hook["id"])
    secret = world.client("secretsmanager").get_secret_value(
        SecretId=f"{world.stack.name}/replies/webhook"
    )
    key = base64.b64decode(json.loads(secret["SecretString"])["k1"])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"

    def told() -> Any:
        found = world.look("status", by_hook["id"], "--json").document["replies"]
        return [note for note in found if note["state"] == "delivered"]

    (note,) = poll(told)
    assert note["to"] == "http://127.0.0.1/..."


def test_a_webhook_that_fails_is_tried_again_under_the_same_name(
    world: World, guest: str, replies: Replies
) -> None:
    world.hold(guest)
    replies.statuses[:] = [503, 500]
    kept = _capture(world, guest, new_run(), ReplyTo={"webhook": f"{replies.webhook}x"})
    world.let_go(guest)
    posts = replies.posts(kept["id"], 3)
    assert len({headers["webhook-id"] for headers, _ in posts}) == 1


def test_a_place_that_the_add_on_does_not_list_is_refused_and_nothing_runs(
    world: World, guest: str, replies: Replies
) -> None:
    run = new_run()
    places = (
        {"webhook": "http://127.0.0.1:1/"},
        {"webhook": replies.webhook.replace("/late/", "/other/")},
        {"queue": f"arn:aws:sqs:{world.place.region}:{ACCOUNT}:others"},
        {"event": True},
        {"callback_id": "abcd"},
    )
    for place in places:
        body = {"run": run, "call": 1, "behaviour": "ok"}
        answer = world.call(guest, body, ReplyTo=place)
        assert (answer["StatusCode"], answer["error"]["field"]) == (
            400,
            f"ReplyTo.{next(iter(place))}",
        )
    assert world.receipts(run) == []


def _allow_any_task(world: World) -> None:
    """Grant on everything what the template grants on a state machine: the engine does not know a token's."""
    role = world.functions.get_function_configuration(
        FunctionName=f"{world.stack.name}-replies-replier"
    )["Role"]
    actions = ["states:SendTaskSuccess", "states:SendTaskFailure"]
    allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    world.client("iam").put_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyName="any-task",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )


def test_a_step_functions_task_that_waits_goes_on_when_its_call_has_succeeded(
    world: World, guest: str, replies: Replies
) -> None:
    del replies
    _allow_any_task(world)
    states = world.client("stepfunctions")
    inbox = world.sqs.create_queue(QueueName=f"{MACHINE}-tokens")["QueueUrl"]
    role = world.client("iam").create_role(
        RoleName=MACHINE,
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "states.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        ),
    )["Role"]["Arn"]
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": inbox, "MessageBody": {"token.$": "$$.Task.Token"}},
        "TimeoutSeconds": 120,
        "End": True,
    }
    machine = states.create_state_machine(
        name=MACHINE,
        definition=json.dumps({"StartAt": "Order", "States": {"Order": task}}),
        roleArn=role,
    )["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine, input="{}")["executionArn"]

    def find_token() -> str | None:
        found = world.sqs.receive_message(QueueUrl=inbox, WaitTimeSeconds=1).get("Messages", [])
        return str(json.loads(found[0]["Body"])["token"]) if found else None

    token = poll(find_token)
    world.hold(guest)
    kept = _capture(world, guest, new_run(), ReplyTo={"task_token": token})
    world.let_go(guest)

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = states.describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    found = poll(ended, limit_s=60)
    assert found["status"] == "SUCCEEDED", found
    assert json.loads(found["output"])["reprise"]["id"] == kept["id"]
    assert token not in world.look("status", kept["id"]).stdout
