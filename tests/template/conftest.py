from __future__ import annotations

import pytest

from template.deployment import Deployment

TARGET = "arn:aws:lambda:eu-west-1:111122223333:function:orders"
JOB = "arn:aws:batch:eu-west-1:111122223333:job-definition/nightly"
QUEUE = "arn:aws:batch:eu-west-1:111122223333:job-queue/spot"
ADDONS: dict[str, dict[str, str]] = {
    "schedules": {"Targets": TARGET},
    "batch": {"BatchJobDefinitions": JOB, "BatchJobQueues": QUEUE},
    "endpoint": {},
    "replies": {},
}
"""What the add-ons need to be told."""
DESTINATIONS = {
    "ReplyQueues": "arn:aws:sqs:eu-west-1:111122223333:answers,arn:aws:sqs:eu-west-1:444455556666:more",
    "ReplyWebhooks": "https://hooks.example.com/reprise/",
    "ReplyEvents": "true",
    "ReplyStateMachines": "arn:aws:states:eu-west-1:111122223333:stateMachine:shop",
    "ReplyFunctions": "arn:aws:lambda:eu-west-1:111122223333:function:flow",
}
"""Where late results may go, one of each kind."""


@pytest.fixture(scope="session")
def plain() -> Deployment:
    """Deploy for one target, all else by default."""
    return Deployment({"Targets": TARGET})


@pytest.fixture(scope="session")
def beside() -> Deployment:
    """Deploy for one target with the add-ons beside it, all else by default."""
    return Deployment({"Targets": f"{TARGET},{JOB}"}, addons=ADDONS)


@pytest.fixture(scope="session")
def full() -> Deployment:
    """Deploy with everything that can be switched on, and every add-on."""
    common = {
        "KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/abc",
        "AlarmTopicArn": "arn:aws:sns:eu-west-1:111122223333:alarms",
        "Tracing": "true",
    }
    return Deployment(
        {
            "Targets": f"{TARGET},{JOB}",
            "ChaosTarget": "true",
            "ExtraLogGroups": "/aws/lambda/orders,/aws/lambda/basket",
            "InvokerReservedConcurrency": "50",
            **common,
        },
        addons={
            "schedules": {
                "Targets": f"{TARGET},{JOB}",
                "WarmFunctions": f"{TARGET},arn:aws:lambda:eu-west-1:111122223333:function:basket:live",
                **common,
            },
            "batch": {
                **ADDONS["batch"],
                "RunnerRole": "Schedules/RunnerRole",
                "KmsKeyArn": common["KmsKeyArn"],
            },
            "replies": {**DESTINATIONS, **common},
        },
    )
