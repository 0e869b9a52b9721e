"""Stop and go on the deployed stack, with IAM enforced: by the command, and by a typing error past it."""

from __future__ import annotations

import json
import time
from threading import Event
from typing import TYPE_CHECKING

import pytest

from e2e.test_observe import look
from e2e.world import new_run, poll
from reprise.aws.config import TTL_S
from reprise.aws.gate_table import GateTable
from reprise.gate.paused import is_paused

if TYPE_CHECKING:
    from e2e.world import World

CALLS = 200
SOON_S = 10.0


@pytest.mark.slow
def test_a_pause_in_an_outage_keeps_every_call_and_a_resume_lets_each_run_once(
    world: World, guest: str
) -> None:
    run = new_run()
    world.hold(guest)
    waiting = world.capture(guest, run, CALLS)
    poll(lambda: any(row and row.refusals for row in map(world.ledger.get, waiting)))
    paused = world.look("policy", "pause", guest, "--reason", "its vendor is down", "--json")
    paused_s = time.monotonic()
    assert paused.document["changes"] == [f"targets.{guest}.enabled: not said -> false"]
    gates = GateTable(world.dynamodb, world.stack.ledger_table)
    arn = world.functions.get_function_configuration(FunctionName=guest)["FunctionArn"]
    # Every replayer reads the policy again within a minute.
    poll(lambda: time.monotonic() > paused_s + TTL_S and is_paused(gates.read(arn)), limit_s=90)

    world.let_go(guest)
    poll(lambda: world.states(waiting[:100]).total() == world.states(waiting[100:]).total() == 100)
    Event().wait(SOON_S)
    assert world.receipts(run) == []
    told = world.look("status", waiting[0], "--json").document
    assert "its target is paused since " in told["steps"][-1]["how"]
    assert world.look("top", "--json").document["paused"][guest]["why"] == "its vendor is down"

    assert world.look("policy", "resume", guest).code == 0
    resumed_s = time.monotonic()
    poll(lambda: world.receipts(run), limit_s=SOON_S)
    first_s = time.monotonic() - resumed_s
    rows = world.await_end(waiting, limit_s=120.0)
    print(f"first after {first_s:.1f} s, all after {time.monotonic() - resumed_s:.1f} s")  # noqa: T201 - for whoever measures
    assert {row.state for row in rows} == {"succeeded"}
    assert world.receipts(run) == [(number, True) for number in range(1, CALLS + 1)]


def test_a_typing_error_past_the_command_is_an_incident_until_it_is_mended(
    world: World, inbox: str
) -> None:
    ssm, name = world.client("ssm"), world.stack.policy_parameter
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]

    def write(text: str) -> None:
        ssm.put_parameter(Name=name, Value=text, Type="String", Overwrite=True)
        look(world)

    def told(beginning: str) -> bool:
        found = world.sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10)
        bodies = [str(json.loads(message["Body"])) for message in found.get("Messages", [])]
        return any(body.startswith(beginning) and "policy document" in body for body in bodies)

    write(json.dumps({"targets": {"orders": {"enbaled": False}}}))
    try:
        poll(lambda: told("Incident Opened. "))
        shown = world.look("top", "--json").document
        assert "targets.orders.enbaled: is no field of a policy" in shown["policy_problem"]
    finally:
        write(before)
    poll(lambda: told("Incident Closed. "))
