"""Front doors: an alias of the invoker in the place of its target, for callers that change an ARN only."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from e2e.world import new_run, poll
from reprise_cli.deploy import REPOSITORY
from unit.doors import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from e2e.world import World

ECHO = f"""#!{sys.executable}
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
path = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", path + "next")
    answer = api.getresponse()
    event, call = answer.read(), answer.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", path + call + "/response", event)
    api.getresponse().read()
"""
"""A runtime that knows no JSON, so that what comes back is what came."""
ODD = b'{ "a":\t1.00, "a": "\\u00fc\xc3\xbc", "big": 123456789012345678901234567890 }'
SIX_MB = b'{"x":"' + b"y" * 6_291_000 + b'"}'


WEB = """
def answer(event, context):
    return {"statusCode": 201, "headers": {"content-type": "text/plain"}, "body": "ordered"}
"""


def deploy(world: World, name: str, file: str, code: str, **settings: str) -> None:
    """Deploy a function of one file."""
    model = world.functions.get_function_configuration(FunctionName=world.stack.chaos_target)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(file)
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, code)
    world.functions.create_function(
        FunctionName=name,
        Role=model["Role"],
        Timeout=20,
        Code={"ZipFile": buffer.getvalue()},
        **{"Runtime": model["Runtime"], **settings},
    )


@pytest.fixture(scope="module")
def doors(world: World) -> Iterator[dict[str, str]]:
    """Deploy the targets of the stack's front doors, and make the doors' aliases."""
    deploy(world, "guest-echo", "bootstrap", ECHO, Runtime="provided.al2023", Handler="none")
    world.make_function("guest-door")
    world.functions.create_alias(FunctionName="guest-door", Name="live", FunctionVersion="$LATEST")
    applied = world.look("doors", "apply", "--json")
    assert applied.code == 0, applied.stderr
    yield {door["alias"]: door["arn"] for door in applied.document["doors"]}
    for name in ("guest-echo", "guest-door"):
        world.functions.delete_function(FunctionName=name)


def open_door(world: World, target: str) -> str:
    """Make an alias of a target's name by hand, as a stack of somebody else's may, and return its ARN."""
    made = world.functions.create_alias(
        FunctionName=world.stack.invoker, Name=target, FunctionVersion="$LATEST"
    )
    arn: str = made["AliasArn"]
    return arn


def invoke(client: Any, function: str, payload: object) -> tuple[Any, str | None]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    response = client.invoke(FunctionName=function, Payload=data)
    return response["Payload"].read(), response.get("FunctionError")


@pytest.mark.parametrize("event", [ODD, SIX_MB], ids=["odd", "6-mb"])
def test_event_and_reply_pass_byte_for_byte(
    world: World, doors: dict[str, str], event: bytes
) -> None:
    assert invoke(world.functions, doors["guest-echo"], event) == (event, None)


def test_reply_and_error_are_those_that_the_target_itself_gives(
    world: World, doors: dict[str, str], guest: str
) -> None:
    del doors
    arn, run = open_door(world, guest), new_run()
    call = {"run": run, "call": 1, "behaviour": "ok"}
    assert invoke(world.functions, arn, call) == invoke(world.functions, guest, call)
    assert world.receipts(run) == [(1, True), (1, True)]


def test_kept_call_is_replayed_with_the_doors_own_event(world: World, guest: str) -> None:
    arn, run = open_door(world, guest), new_run()
    world.hold(guest)
    payload, function_error = invoke(world.functions, arn, {"run": run, "call": 7})
    told = json.loads(payload)
    assert (function_error, told["errorType"]) == ("Unhandled", "Reprise.Captured")
    assert told["reprise"]["outcome"]["kind"] == "throttled"
    world.let_go(guest)
    world.await_end([told["reprise"]["id"]])
    assert world.receipts(run) == [(7, True)]


def test_request_of_an_http_api_is_kept_and_its_client_may_click_again(
    world: World, guest: str
) -> None:
    arn, run = open_door(world, guest), new_run()
    event = {**samples.HTTP_2, "run": run, "call": 1, "headers": {"idempotency-key": run}}
    world.hold(guest)
    payload, function_error = invoke(world.functions, arn, event)
    kept = json.loads(payload)
    assert (function_error, kept["statusCode"]) == (None, 202)
    call_id = kept["headers"]["X-Reprise-Id"]
    assert kept["headers"]["Location"] == f"reprise://reprise/calls/{call_id}"
    read = {**event, "requestContext": {"http": {"method": "GET"}}}
    refused = json.loads(invoke(world.functions, arn, read)[0])
    assert refused["statusCode"] == 503
    assert int(refused["headers"]["Retry-After"]) > 0
    world.let_go(guest)
    world.await_end([call_id])
    context = {**samples.HTTP_2["requestContext"], "requestId": "another"}
    again = invoke(world.functions, arn, {**event, "requestContext": context})
    # The late result of the first, as the target gave it.
    assert (json.loads(again[0]), again[1]) == ({"run": run, "call": 1}, None)
    assert world.receipts(run) == [(1, True)]


def test_door_with_a_qualifier_calls_that(world: World, doors: dict[str, str]) -> None:
    run = new_run()
    payload, _ = invoke(world.functions, doors["checkout"], {"run": run, "call": 1})
    assert json.loads(payload) == {"run": run, "call": 1}
    world.hold("guest-door")
    kept = json.loads(invoke(world.functions, doors["checkout"], {"run": run, "call": 2})[0])
    world.let_go("guest-door")
    (row,) = world.await_end([kept["reprise"]["id"]])
    assert row.state == "succeeded"
    assert world.receipts(run) == [(1, True), (2, True)]


def test_who_may_invoke_one_door_may_invoke_nothing_else(
    world: World, doors: dict[str, str]
) -> None:
    iam, account = world.client("iam"), "000000000000"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    allowed = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": doors["guest-echo"]}
        ],
    }
    role = iam.create_role(RoleName="door-caller", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(
        RoleName="door-caller", PolicyName="door", PolicyDocument=json.dumps(allowed)
    )
    given = world.client("sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="caller")[
        "Credentials"
    ]
    caller = boto3.client(
        "lambda",
        endpoint_url=world.place.endpoint_url,
        region_name=world.place.region,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    assert invoke(caller, doors["guest-echo"], ODD) == (ODD, None)
    request = {"FunctionName": "guest-echo", "Payload": "{}"}
    for other in (world.stack.invoker, doors["checkout"], "guest-echo"):
        with pytest.raises(ClientError, match="AccessDenied"):
            invoke(caller, other, request)
    # What it may call takes no orders to call others.
    assert invoke(caller, doors["guest-echo"], request)[0] == json.dumps(request).encode()


def http_api(world: World, arn: str, name: str) -> str:
    gateway = world.client("apigatewayv2")
    api = gateway.create_api(Name=name, ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    for method in ("POST", "GET"):
        target = f"integrations/{integration}"
        gateway.create_route(ApiId=api, RouteKey=f"{method} /orders", Target=target)
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return f"/_aws/execute-api/{api}/$default/orders"


def example(world: World, arn: str, name: str) -> str:
    """Deploy examples/front-door, which makes the alias itself."""
    function, _, alias = arn.rpartition(":")
    world.functions.delete_alias(FunctionName=function, Name=alias)
    clouds = world.client("cloudformation")
    clouds.create_stack(
        StackName=name,
        TemplateBody=(REPOSITORY / "examples" / "front-door" / "template.yaml").read_text(),
        Parameters=[{"ParameterKey": "Target", "ParameterValue": alias}],
    )

    def made() -> Any:
        (stack,) = clouds.describe_stacks(StackName=name)["Stacks"]
        assert "FAILED" not in stack["StackStatus"], stack
        assert "ROLLBACK" not in stack["StackStatus"], clouds.describe_stack_events(StackName=name)
        return stack if stack["StackStatus"] == "CREATE_COMPLETE" else None

    outputs = {each["OutputKey"]: each["OutputValue"] for each in poll(made)["Outputs"]}
    return f"/_aws/execute-api/{outputs['ApiId']}/$default/orders"


def rest_api(world: World, arn: str, name: str) -> str:
    gateway = world.client("apigateway")
    api = gateway.create_rest_api(name=name)["id"]
    (root,) = gateway.get_resources(restApiId=api)["items"]
    orders = gateway.create_resource(restApiId=api, parentId=root["id"], pathPart="orders")["id"]
    where = {"restApiId": api, "resourceId": orders}
    for method in ("POST", "GET"):
        gateway.put_method(**where, httpMethod=method, authorizationType="NONE")
        gateway.put_integration(
            **where,
            httpMethod=method,
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
        )
    gateway.create_deployment(restApiId=api, stageName="prod")
    return f"/_aws/execute-api/{api}/prod/orders"


def function_url(world: World, arn: str, name: str) -> str:
    del name
    function, _, alias = arn.rpartition(":")
    made = world.functions.create_function_url_config(
        FunctionName=function, Qualifier=alias, AuthType="NONE"
    )
    host = made["FunctionUrl"].removeprefix("https://").removeprefix("http://")
    return f"/_aws/lambda-url/{host.partition('.')[0]}/orders"


def load_balancer(world: World, arn: str, name: str) -> str:
    balancers = world.client("elbv2")
    made = balancers.create_load_balancer(Name=name, Subnets=["subnet-1", "subnet-2"])
    group = balancers.create_target_group(Name=f"{name}-group", TargetType="lambda")
    group_arn = group["TargetGroups"][0]["TargetGroupArn"]
    balancers.modify_target_group_attributes(
        TargetGroupArn=group_arn,
        Attributes=[{"Key": "lambda.multi_value_headers.enabled", "Value": "true"}],
    )
    balancers.register_targets(TargetGroupArn=group_arn, Targets=[{"Id": arn}])
    balancers.create_listener(
        LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group_arn}],
    )
    return f"/_alb/{name}/orders"


def ask(
    world: World, method: str, path: str, order: bytes = b'{"order":1}'
) -> tuple[int, dict[str, str], bytes]:
    """Send a request as a client does; return status, headers by lower-case names, and body."""
    body = order if method == "POST" else None
    # The engine lets nobody in but its owner.
    url = f"{world.place.endpoint_url}{path}"
    signed = AWSRequest(method, url, data=body)
    credentials = Credentials(world.place.access_key or "", world.place.secret_key or "")
    SigV4Auth(credentials, "execute-api", world.place.region or "").add_auth(signed)
    request = Request(url, data=body, headers=dict(signed.headers), method=method)
    try:
        with urlopen(request, timeout=30) as answer:
            headers, status, told = answer.headers, answer.status, answer.read()
    except HTTPError as error:
        with error:
            headers, status, told = error.headers, error.code, error.read()
    return status, {name.lower(): value for name, value in headers.items()}, told


@pytest.mark.parametrize("make", [http_api, example, rest_api, function_url, load_balancer])
def test_http_sender_becomes_a_caller_by_the_aliass_arn(
    world: World, make: Callable[[World, str, str], str]
) -> None:
    guest = f"guest-web-{make.__name__.replace('_', '-')}"
    deploy(world, guest, "web.py", WEB, Handler="web.answer")
    path = make(world, open_door(world, guest), f"shop-{guest[-6:]}")
    status, _, told = ask(world, "POST", path)
    assert (status, told) == (201, b"ordered")
    world.hold(guest)
    status, headers, told = ask(world, "POST", path)
    assert status == 202
    assert headers["retry-after"] == "60"
    call_id = json.loads(told)["reprise"]["id"]
    assert headers["location"].endswith(call_id)
    assert ask(world, "GET", path)[0] == 503
    world.let_go(guest)
    (row,) = world.await_end([call_id])
    assert row.state == "succeeded"


def test_state_machine_catches_a_kept_call_by_its_name(world: World, guest: str) -> None:
    arn, run = open_door(world, guest), new_run()
    role = world.functions.get_function_configuration(FunctionName=world.stack.invoker)["Role"]
    machines = world.client("stepfunctions")
    definition = {
        "StartAt": "Order",
        "States": {
            "Order": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": arn, "Payload.$": "$"},
                "Catch": [{"ErrorEquals": ["Reprise.Captured"], "Next": "Kept"}],
                "End": True,
            },
            "Kept": {"Type": "Pass", "End": True},
        },
    }
    machine = machines.create_state_machine(
        name=f"shop-{run}", definition=json.dumps(definition), roleArn=role
    )["stateMachineArn"]
    world.hold(guest)
    execution = machines.start_execution(
        stateMachineArn=machine, input=json.dumps({"run": run, "call": 3})
    )["executionArn"]

    def ended() -> Any:
        found = machines.describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    found = poll(ended, limit_s=30)
    assert found["status"] == "SUCCEEDED", found
    output = json.loads(found["output"])
    assert output["Error"] == "Reprise.Captured"
    call_id = json.loads(output["Cause"])["reprise"]["id"]
    world.let_go(guest)
    world.await_end([call_id])
    assert world.receipts(run) == [(3, True)]
