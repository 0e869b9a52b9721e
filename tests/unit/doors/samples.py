"""Events as AWS's documentation shows their shape, one for each kind of sender."""

from __future__ import annotations

from typing import Any, Final

REST: Final[dict[str, Any]] = {
    "resource": "/orders",
    "path": "/orders",
    "httpMethod": "POST",
    "headers": {"Host": "api.example.com", "Authorization": "Bearer a"},
    "multiValueHeaders": {"Host": ["api.example.com"], "Authorization": ["Bearer a"]},
    "queryStringParameters": {"dry": "no"},
    "multiValueQueryStringParameters": {"dry": ["no"]},
    "pathParameters": None,
    "stageVariables": None,
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "1234567890",
        "httpMethod": "POST",
        "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "requestTimeEpoch": 1583349317135,
        "stage": "prod",
    },
    "body": '{"order":1}',
    "isBase64Encoded": False,
}
HTTP_1: Final[dict[str, Any]] = {"version": "1.0", **REST}
HTTP_2: Final[dict[str, Any]] = {
    "version": "2.0",
    "routeKey": "POST /orders",
    "rawPath": "/orders",
    "rawQueryString": "dry=no",
    "cookies": ["session=1"],
    "headers": {"host": "api.example.com", "authorization": "Bearer a"},
    "requestContext": {
        "accountId": "123456789012",
        "domainName": "id.execute-api.eu-west-1.amazonaws.com",
        "http": {"method": "POST", "path": "/orders", "protocol": "HTTP/1.1"},
        "requestId": "JKJaXmPLvHcESHA=",
        "timeEpoch": 1583348638390,
    },
    "body": '{"order":1}',
    "isBase64Encoded": False,
}
FUNCTION_URL: Final[dict[str, Any]] = {
    **HTTP_2,
    "routeKey": "$default",
    "requestContext": {
        **HTTP_2["requestContext"],
        "domainName": "abc.lambda-url.eu-west-1.on.aws",
        "authorizer": {"iam": {"accountId": "123456789012"}},
    },
}
ALB: Final[dict[str, Any]] = {
    "requestContext": {
        "elb": {
            "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/g/1"
        }
    },
    "httpMethod": "POST",
    "path": "/orders",
    "queryStringParameters": {},
    "headers": {"host": "lb.example.com"},
    "body": '{"order":1}',
    "isBase64Encoded": False,
}
ALB_MULTI: Final[dict[str, Any]] = {
    **{
        name: value
        for name, value in ALB.items()
        if name not in ("headers", "queryStringParameters")
    },
    "multiValueHeaders": {"host": ["lb.example.com"]},
    "multiValueQueryStringParameters": {},
}
APPSYNC: Final[dict[str, Any]] = {
    "arguments": {"id": "7"},
    "identity": None,
    "source": None,
    "request": {"headers": {"host": "x.appsync-api.eu-west-1.amazonaws.com"}, "domainName": None},
    "prev": None,
    "info": {
        "selectionSetList": ["id"],
        "selectionSetGraphQL": "{\n  id\n}",
        "fieldName": "placeOrder",
        "parentTypeName": "Mutation",
        "variables": {},
    },
    "stash": {},
}
APPSYNC_QUERY: Final[dict[str, Any]] = {
    **APPSYNC,
    "info": {**APPSYNC["info"], "parentTypeName": "Query", "fieldName": "order"},
}
AUTHORIZER_1: Final[dict[str, Any]] = {
    **REST,
    "type": "REQUEST",
    "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/test/GET/request",
}
AUTHORIZER_2: Final[dict[str, Any]] = {
    **HTTP_2,
    "type": "REQUEST",
    "routeArn": "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/test/GET/request",
}
AUTHORIZER_OF_APPSYNC: Final[dict[str, Any]] = {
    "authorizationToken": "secret",
    "requestContext": {
        "apiId": "aaaaaa123123123example123",
        "accountId": "123456789012",
        "requestId": "f4081827-1111-4444-5555-5cf4695f339f",
        "queryString": "mutation CreateEvent {...}",
        "operationName": "CreateEvent",
        "variables": {},
    },
    "requestHeaders": {},
}
AUTHORIZER_OF_IOT: Final[dict[str, Any]] = {
    "token": "secret",
    "signatureVerified": True,
    "protocols": ["tls", "http", "mqtt"],
    "protocolData": {"mqtt": {"clientId": "device"}},
    "connectionMetadata": {"id": "7"},
}
COGNITO: Final[dict[str, Any]] = {
    "version": "1",
    "triggerSource": "PreSignUp_SignUp",
    "region": "eu-west-1",
    "userPoolId": "eu-west-1_abc",
    "userName": "ann",
    "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "abc"},
    "request": {"userAttributes": {}},
    "response": {},
}
COGNITO_AFTER: Final[dict[str, Any]] = {
    **COGNITO,
    "triggerSource": "PostConfirmation_ConfirmSignUp",
}
SQS: Final[dict[str, Any]] = {
    "Records": [{"messageId": "1", "body": "{}", "eventSource": "aws:sqs", "attributes": {}}]
}
KAFKA: Final[dict[str, Any]] = {"eventSource": "aws:kafka", "records": {"topic-0": []}}
S3: Final[dict[str, Any]] = {
    "Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]
}
SNS: Final[dict[str, Any]] = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "hi"}}]}
EVENTBRIDGE: Final[dict[str, Any]] = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Order Placed",
    "source": "shop",
    "account": "123456789012",
    "time": "2026-11-12T00:00:00Z",
    "region": "eu-west-1",
    "resources": [],
    "detail": {"order": 1},
}
TASK: Final[dict[str, Any]] = {"TaskToken": "AAAAKgAAAAIAAAAAAAAAAQ==", "order": 1}
OWN: Final[dict[str, Any]] = {"order": 1, "headers": "none", "Records": 3, "info": []}
