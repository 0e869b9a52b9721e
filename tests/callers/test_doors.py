"""Callers that reach their target through the stack: front doors, a plain alias, and the wrapped invoker."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from callers.table import (
    ACCOUNT,
    COLUMNS,
    DOORS,
    FUNCTION_ERROR,
    NO_ANSWER,
    REFUSED,
    SERVICE_ERROR,
    SUCCESS,
    Cell,
)
from e2e.test_front_doors import (
    ask,
    deploy,
    function_url,
    http_api,
    invoke,
    load_balancer,
    open_door,
    rest_api,
)
from e2e.world import new_run, poll
from reprise.instant import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from e2e.world import World

TARGET = '''
import base64, json, time
import boto3

dynamodb = boto3.client("dynamodb")


def answer(event, context):
    """Do as the order says, write a receipt, and answer in a way that every caller takes."""
    body = event.get("body", event)
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    order = json.loads(body) if isinstance(body, (str, bytes)) else body
    if order["column"] == "no answer in time":
        time.sleep(9)
    receipt = {"run": {"S": order["run"]}, "receipt": {"S": context.aws_request_id}}
    receipt.update(call={"N": "1"}, ok={"BOOL": order["column"] != "function error"})
    dynamodb.put_item(TableName="RECEIPTS", Item=receipt)
    if order["column"] == "function error":
        raise ValueError("bad order")
    return {"statusCode": 201, "headers": {"content-type": "text/plain"}, "body": "ordered"}
'''
CALL_TIMEOUT_S = 6
FAULTS: dict[str, dict[str, Any]] = {
    ACCOUNT: {
        "status": 429,
        "code": "TooManyRequestsException",
        "fields": {"Reason": "ConcurrentInvocationLimitExceeded"},
    },
    SERVICE_ERROR: {"status": 500, "code": "ServiceException"},
}


class Made(NamedTuple):
    """One call, and what became of it."""

    cell: Cell
    call_id: str | None
    state: str | None
    reason: str | None
    receipts: list[bool]


def by_http(make: Callable[[World, str, str], str]) -> Callable[..., tuple[str, str | None]]:
    def call(world: World, target: str, order: dict[str, str]) -> tuple[str, str | None]:
        path = make(world, open_door(world, target), target.removeprefix("guest-"))
        body = json.dumps(order).encode()
        status, headers, _ = ask(world, "POST", path, body)
        return str(status), headers.get("x-reprise-id")

    return call


def by_alias(world: World, target: str, order: dict[str, str]) -> tuple[str, str | None]:
    payload, error = invoke(world.functions, open_door(world, target), order)
    told = json.loads(payload)
    if not error:
        return str(200), None
    return f"200 `{error}`, `{told['errorType']}`", told.get("reprise", {}).get("id")


def by_state_machine(world: World, target: str, order: dict[str, str]) -> tuple[str, str | None]:
    machines = world.client("stepfunctions")
    role = world.functions.get_function_configuration(FunctionName=world.stack.invoker)["Role"]
    parameters = {"FunctionName": open_door(world, target), "Payload.$": "$"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters}
    machine = machines.create_state_machine(
        name=target,
        definition=json.dumps({"StartAt": "Order", "States": {"Order": {**task, "End": True}}}),
        roleArn=role,
    )["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=machine, input=json.dumps(order))

    def ended() -> Any:
        found = machines.describe_execution(executionArn=execution["executionArn"])
        return found if found["status"] != "RUNNING" else None

    found = poll(ended)
    if found["status"] == "SUCCEEDED":
        return "`SUCCEEDED`", None
    return f"`{found['error']}`", json.loads(found["cause"]).get("reprise", {}).get("id")


def by_wrapped_request(world: World, target: str, order: dict[str, str]) -> tuple[str, str | None]:
    answer = world.call(target, order)
    return str(answer["StatusCode"]), answer.get("reprise", {}).get("id")


CALLERS: dict[str, Callable[[World, str, dict[str, str]], tuple[str, str | None]]] = {
    "REST API": by_http(rest_api),
    "HTTP API": by_http(http_api),
    "load balancer": by_http(load_balancer),
    "function URL": by_http(function_url),
    "Step Functions": by_state_machine,
    "alias, boto3": by_alias,
    "wrapped invoker": by_wrapped_request,
}


def sends(world: World, target: str) -> int:
    """Return how often the target was called, refused, or failed by the engine in its place."""
    now, metrics = utc_now(), world.client("cloudwatch")
    found = [
        metrics.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=name,
            Dimensions=[{"Name": "FunctionName", "Value": target}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        for name in ("Invocations", "Throttles")
    ]
    faults = world.admin("GET", "faults")["faults"]
    failed = sum(fault["hits"] for fault in faults if fault["contains"].endswith(target))
    return int(failed + sum(point["Sum"] for points in found for point in points))


@contextmanager
def nothing_replayed(world: World) -> Iterator[None]:
    """Let what is captured wait inside: the sends of replays are not the callers'."""
    found = world.functions.list_event_source_mappings(FunctionName=world.stack.unpacker)
    (mapping,) = found["EventSourceMappings"]
    world.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    yield
    world.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def make_call(world: World, row: str, column: str, run: str) -> tuple[str, Cell, str | None]:
    """Make a target for one call, make the call, and return target, cell, and the call's id."""
    slug = f"{list(DOORS).index(row)}{COLUMNS.index(column)}"
    target = f"guest-caller-{slug}-{run[-6:]}"
    code = TARGET.replace("RECEIPTS", str(world.stack.receipts_table))
    deploy(world, target, "shop.py", code, Handler="shop.answer")
    if column == REFUSED[0]:
        world.hold(target)
    if column in FAULTS:
        # An alias of that name has no `function:` before it.
        contains = f"function:{target}"
        fault = {"service": "lambda", "operation": "Invoke", "contains": contains, "times": 1}
        world.admin("POST", "faults", {**fault, **FAULTS[column]})
    order = {"run": f"{run}-{slug}", "column": column}
    seen, call_id = CALLERS[row](world, target, order)
    # A target that answers late is counted when it has.
    count = poll(lambda: sends(world, target))
    return target, Cell(seen, call_id is not None, count), call_id


@pytest.fixture(scope="session")
def made(world: World) -> Iterator[dict[tuple[str, str], Made]]:
    """Make all calls, then let go of what is held, and wait for the end of what was kept."""
    run = new_run()
    cells = [(row, column) for row in DOORS for column in COLUMNS]
    timeout = {"REPRISE_CALL_TIMEOUT_S": str(CALL_TIMEOUT_S)}
    with (
        nothing_replayed(world),
        world.reconfigured(world.stack.invoker, variables=timeout),
        ThreadPoolExecutor(3) as pool,
    ):
        calls = list(pool.map(lambda cell: make_call(world, cell[0], cell[1], run), cells))
    world.admin("DELETE", "faults")
    for (_, column), (target, _, _) in zip(cells, calls, strict=True):
        if column == REFUSED[0]:
            world.let_go(target)
    kept = [call_id for _, _, call_id in calls if call_id]
    rows = {row.id: row for row in world.await_end(kept, limit_s=180)}
    found = {}
    for cell, (_, seen, call_id) in zip(cells, calls, strict=True):
        row = rows[call_id] if call_id else None
        slug = f"{list(DOORS).index(cell[0])}{COLUMNS.index(cell[1])}"
        receipts = [ok for _, ok in world.receipts(f"{run}-{slug}")]
        state, reason = (row.state, row.reason) if row else (None, None)
        found[cell] = Made(seen, call_id, state, reason, receipts)
    yield found
    for target, _, _ in calls:
        world.functions.delete_function(FunctionName=target)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", DOORS)
def test_caller_through_the_stack_sends_a_call_once_and_is_told_the_truth(
    made: dict[tuple[str, str], Made],
    row: str,
    column: str,
    tell: Callable[[str, str, Cell], None],
) -> None:
    call = made[row, column]
    tell(row, column, call.cell)
    if column == SUCCESS:
        assert call.receipts == [True]
    elif column == FUNCTION_ERROR:
        # An answer has ended; what is kept ends as its policy says, after executions that all failed.
        assert call.state == ("dead_lettered" if call.cell.is_kept else None)
        assert set(call.receipts) == {False}
    elif column == NO_ANSWER:
        assert (call.state, call.receipts) == ("dead_lettered", [True])
    else:
        assert (call.state, call.receipts) == ("succeeded", [True])
