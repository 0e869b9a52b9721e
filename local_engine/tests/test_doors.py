"""The doors in front of a function: each has its own event and its own answer when there is none."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from local_engine.testing import wait_for

if TYPE_CHECKING:
    from local_engine.testing import Aws

type Doors = dict[str, str]

HANDLER = """
import json, time
def handle(event, context):
    path = event.get("rawPath") or event["path"]
    wanted = path.rpartition("/")[2]
    if wanted == "fail":
        raise ValueError("a secret")
    if wanted == "late":
        time.sleep(1.2)
    if wanted == "exit":
        time.sleep(60)
    answers = {
        "malformed": {"statusCode": 200, "body": {"no": "string"}},
        "odd": {"statusCode": "no number", "body": ""},
        "plain": {"some": "object"},
        "event": {"statusCode": 200, "body": json.dumps([context.invoked_function_arn, event])},
        "kept": {"statusCode": 202, "headers": {"Location": "/calls/1", "Retry-After": "2"}, "body": "kept"},
        "many": {"statusCode": 200, "headers": {"X": "a"}, "multiValueHeaders": {"X": ["b", "c"]}},
        "large": {"statusCode": 200, "body": "x" * 1_100_000},
    }
    return answers.get(wanted, answers["kept"])
"""
KINDS = ("rest", "http", "alb", "url")


def make_doors(
    aws: Aws, function_arn: str, *, timeout_ms: int = 29_000, multi: bool = False
) -> Doors:
    """Put every kind of door before a function and return their paths."""
    name, _, alias = function_arn.partition(":function:")[2].partition(":")
    uri = (
        f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    )
    rest = aws.client("apigateway")
    api = rest.create_rest_api(name="door")["id"]
    root = rest.get_resources(restApiId=api)["items"][0]["id"]
    resource = rest.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")["id"]
    rest.put_method(restApiId=api, resourceId=resource, httpMethod="ANY", authorizationType="NONE")
    rest.put_integration(
        restApiId=api,
        resourceId=resource,
        httpMethod="ANY",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=uri,
        timeoutInMillis=timeout_ms,
    )
    rest.create_deployment(restApiId=api, stageName="live")
    http = aws.client("apigatewayv2")
    http_api = http.create_api(Name="door", ProtocolType="HTTP")["ApiId"]
    integration = http.create_integration(
        ApiId=http_api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=uri,
        PayloadFormatVersion="2.0",
        TimeoutInMillis=timeout_ms,
    )["IntegrationId"]
    http.create_route(ApiId=http_api, RouteKey="$default", Target=f"integrations/{integration}")
    http.create_stage(ApiId=http_api, StageName="live", AutoDeploy=True)
    balancer = _make_balancer(aws, function_arn, multi=multi)
    settings = {"Qualifier": alias} if alias else {}
    url = aws.client("lambda").create_function_url_config(
        FunctionName=name, AuthType="NONE", **settings
    )["FunctionUrl"]
    identifier = url.split("//")[1].split(".")[0]
    return {
        "rest": f"/_aws/execute-api/{api}/live",
        "http": f"/_aws/execute-api/{http_api}/live",
        "alb": f"/_alb/{balancer}",
        "url": f"/_aws/lambda-url/{identifier}",
    }


def _make_balancer(aws: Aws, function_arn: str, *, multi: bool) -> str:
    client = aws.client("elbv2")
    name = f"b-{uuid.uuid4().hex[:8]}"
    balancer = client.create_load_balancer(Name=name)["LoadBalancers"][0]["LoadBalancerArn"]
    group = client.create_target_group(Name=name, TargetType="lambda")["TargetGroups"][0]
    client.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": function_arn}])
    client.modify_target_group_attributes(
        TargetGroupArn=group["TargetGroupArn"],
        Attributes=[{"Key": "lambda.multi_value_headers.enabled", "Value": str(multi).lower()}],
    )
    client.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    return name


@pytest.fixture
def name(aws: Aws) -> str:
    return aws.make_function(HANDLER, Timeout=2)


@pytest.fixture
def doors(aws: Aws, name: str) -> Doors:
    return make_doors(aws, _arn(name), timeout_ms=1000)


def _arn(name: str) -> str:
    return f"arn:aws:lambda:eu-west-1:000000000000:function:{name}"


def statuses(aws: Aws, doors: Doors, wanted: str) -> tuple[int, ...]:
    return tuple(aws.request("GET", f"{doors[kind]}/{wanted}")[0] for kind in KINDS)


def test_every_door_answers_in_its_own_way(aws: Aws, name: str, doors: Doors) -> None:
    # Cold starts are not what may take too long here.
    statuses(aws, doors, "kept")
    table = {
        wanted: statuses(aws, doors, wanted)
        for wanted in ("kept", "fail", "malformed", "odd", "late", "exit")
    }
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    table["throttled"] = statuses(aws, doors, "kept")
    assert table == {
        "kept": (202, 202, 202, 202),
        "fail": (502, 500, 502, 502),
        "malformed": (502, 500, 502, 502),
        "odd": (502, 500, 502, 502),
        "late": (504, 503, 202, 202),
        "exit": (504, 503, 502, 502),
        "throttled": (500, 503, 502, 429),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_no_door_shows_the_error_of_a_function(aws: Aws, doors: Doors, kind: str) -> None:
    assert b"secret" not in aws.request("GET", f"{doors[kind]}/fail")[2]


@pytest.mark.parametrize("kind", KINDS)
def test_headers_and_body_of_an_answer_reach_the_client(aws: Aws, doors: Doors, kind: str) -> None:
    _, headers, body = aws.request("GET", f"{doors[kind]}/kept")
    assert (headers["Location"], headers["Retry-After"], body) == ("/calls/1", "2", b"kept")


def test_function_url_shows_the_throttle_of_lambda(aws: Aws, name: str, doors: Doors) -> None:
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    _, headers, body = aws.request("GET", f"{doors['url']}/kept")
    assert headers["x-amzn-ErrorType"] == "TooManyRequestsException"
    assert json.loads(body)["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_payload_format_2_makes_an_answer_of_what_is_none(aws: Aws, doors: Doors) -> None:
    answers = [aws.request("GET", f"{doors[kind]}/plain") for kind in ("http", "url")]
    assert [(status, json.loads(body)) for status, _, body in answers] == [
        (200, {"some": "object"})
    ] * 2
    assert statuses(aws, doors, "plain") == (502, 200, 502, 200)


def test_load_balancer_bounds_bodies_at_one_megabyte(aws: Aws, doors: Doors) -> None:
    assert aws.request("POST", f"{doors['alb']}/kept", b"x" * 1_048_577)[0] == 413
    assert aws.request("GET", f"{doors['alb']}/large")[0] == 502
    assert aws.request("GET", f"{doors['rest']}/large")[0] == 200


@pytest.mark.parametrize(("multi", "seen"), [(False, ["a"]), (True, ["b", "c"])])
def test_load_balancer_has_one_kind_of_headers(
    aws: Aws,
    name: str,
    multi: bool,
    seen: list[str],
) -> None:
    doors = make_doors(aws, _arn(name), multi=multi)
    assert aws.request("GET", f"{doors['alb']}/many")[1].get_all("X") == seen
    body = aws.request("GET", f"{doors['alb']}/event?k=1&k=2")[2]
    _, event = json.loads(body)
    assert ("multiValueHeaders" in event, "headers" in event) == (multi, not multi)
    expected = {"multiValueQueryStringParameters": {"k": ["1", "2"]}}
    if not multi:
        expected = {"queryStringParameters": {"k": "2"}}  # type: ignore[dict-item]
    assert event.items() >= expected.items()


@pytest.mark.parametrize(
    "task",
    [
        {"Resource": "FUNCTION"},
        {
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "FUNCTION", "Payload.$": "$"},
        },
    ],
)
def test_task_of_a_state_machine_fails_by_a_throttle_with_its_name(
    aws: Aws, name: str, task: dict[str, Any]
) -> None:
    states = aws.client("stepfunctions")
    definition = {
        "StartAt": "Call",
        "States": {
            "Call": {
                "Type": "Task",
                **task,
                "Catch": [
                    {"ErrorEquals": ["Lambda.TooManyRequestsException"], "Next": "Caught"},
                    {"ErrorEquals": ["ValueError"], "Next": "Failed"},
                ],
                "End": True,
            },
            "Caught": {"Type": "Pass", "Result": "caught", "End": True},
            "Failed": {"Type": "Pass", "Result": "failed", "End": True},
        },
    }
    text = json.dumps(definition).replace("FUNCTION", _arn(name))
    machine = states.create_state_machine(
        name=f"m-{uuid.uuid4().hex[:8]}",
        roleArn="arn:aws:iam::000000000000:role/test",
        definition=text,
    )["stateMachineArn"]

    def run() -> str:
        run = states.start_execution(stateMachineArn=machine, input='{"path": "fail"}')
        arn = run["executionArn"]
        wait_for(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING")
        return str(json.loads(states.describe_execution(executionArn=arn)["output"]))

    assert run() == "failed"
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert run() == "caught"


def test_every_door_invokes_the_alias_with_its_own_event(aws: Aws, name: str) -> None:
    client = aws.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    alias = client.create_alias(FunctionName=name, Name="orders", FunctionVersion=version)
    doors = make_doors(aws, alias["AliasArn"])
    seen: dict[str, Any] = {}
    for kind, path in doors.items():
        status, _, body = aws.request("POST", f"{path}/event?k=1", b'{"x": 1}', {"X-Own": "h"})
        assert status == 200, body
        arn, seen[kind] = json.loads(body)
        assert arn == alias["AliasArn"]
    assert {kind: event.get("version") for kind, event in seen.items()} == {
        "rest": "1.0",
        "http": "2.0",
        "alb": None,
        "url": "2.0",
    }
    assert seen["rest"]["requestContext"]["stage"] == "live"
    assert "elb" in seen["alb"]["requestContext"]
    assert seen["url"]["requestContext"]["domainName"].endswith(".on.aws")
    for event in seen.values():
        lower = {key.lower(): value for key, value in event["headers"].items()}
        assert lower["x-own"] == "h"
        body = event["body"]
        assert (
            base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
        ) == b'{"x": 1}'
        assert event["queryStringParameters"] == {"k": "1"}
