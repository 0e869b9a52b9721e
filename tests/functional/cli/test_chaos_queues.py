"""The queues of a chaos test on moto's SQS: which are watched until all is quiet, which letters are seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from reprise.dead_letter import dead_letter
from reprise_cli.chaos.books import QueuedLetters
from reprise_cli.chaos.quiet import Quiet, quiet_of
from strategies import NOW, make_record
from unit.cli.test_letter import dead_row

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from reprise.aws.clients import Clients


@dataclass
class Stack:
    """The queues of one stack."""

    sqs: SQSClient
    capture: str
    replay: str
    letters: str

    def quiet(self) -> Quiet:
        return quiet_of(self.sqs, capture_url=self.capture, replay_url=self.replay)


@pytest.fixture
def stack(clients: Clients) -> Stack:
    sqs = clients.sqs()
    capture, replay, letters = (
        sqs.create_queue(QueueName=f"{name}-{uuid4()}", Attributes={"VisibilityTimeout": "330"})[
            "QueueUrl"
        ]
        for name in ("capture", "replay", "dead")
    )
    return Stack(sqs, capture, replay, letters)


@pytest.mark.parametrize("state", ["visible", "in flight", "delayed"])
@pytest.mark.parametrize("queue", ["capture", "replay"])
def test_a_message_in_any_state_of_either_queue_can_still_run(
    stack: Stack, queue: str, state: str
) -> None:
    url = getattr(stack, queue)
    delay_s = 600 if state == "delayed" else 0
    stack.sqs.send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=delay_s)
    if state == "in flight":
        assert stack.sqs.receive_message(QueueUrl=url)["Messages"]
    quiet = stack.quiet()
    assert quiet.limit_s == 330.0
    assert sum(depth() for depth in quiet.depths) == 1


def test_dead_letters_of_others_and_of_a_stack_at_rest_can_not(stack: Stack) -> None:
    stack.sqs.send_message(QueueUrl=stack.letters, MessageBody="{}")
    assert replace(stack.quiet(), sleep=lambda _: None).wait()


@pytest.mark.parametrize("is_drained", [False, True])
def test_letters_are_seen_whatever_the_ledger_says_and_only_own_ones_are_taken_away(
    stack: Stack,
    is_drained: bool,
) -> None:
    for call_id in ("id-1", "id-2", "somebody's"):
        row = dead_row(id=call_id)
        body = dead_letter(make_record(id=call_id), row, now=NOW)
        stack.sqs.send_message(QueueUrl=stack.letters, MessageBody=body)
    box = QueuedLetters(client=stack.sqs, url=stack.letters, is_drained=is_drained)
    assert box.seen(frozenset({"id-1", "id-2", "id-3"})) == {"id-1", "id-2"}
    left = stack.sqs.receive_message(QueueUrl=stack.letters, MaxNumberOfMessages=10)["Messages"]
    assert len(left) == (1 if is_drained else 3)
