from __future__ import annotations

import pytest

from template.deployment import Deployment

TARGET = "arn:aws:lambda:eu-west-1:111122223333:function:orders"


@pytest.fixture(scope="session")
def plain() -> Deployment:
    """Deploy for one target, all else by default."""
    return Deployment({"Targets": TARGET})


@pytest.fixture(scope="session")
def full() -> Deployment:
    """Deploy with everything that can be switched on."""
    return Deployment(
        {
            "Targets": TARGET,
            "ChaosTarget": "true",
            "ExtraLogGroups": "/aws/lambda/orders,/aws/lambda/basket",
            "KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/abc",
            "AlarmTopicArn": "arn:aws:sns:eu-west-1:111122223333:alarms",
            "Tracing": "true",
            "InvokerReservedConcurrency": "50",
            "WarmFunctions": f"{TARGET},arn:aws:lambda:eu-west-1:111122223333:function:basket:live",
            "BatchJobDefinitions": "arn:aws:batch:eu-west-1:111122223333:job-definition/nightly",
            "BatchJobQueues": "arn:aws:batch:eu-west-1:111122223333:job-queue/spot",
        }
    )
