"""Who sends events, by what each is known, and how it can be answered: data.

What stands here of other services is their published event formats. Source: API Gateway developer guide,
"Lambda proxy integrations in API Gateway", "Create Lambda proxy integrations for HTTP APIs", "Input to an
API Gateway Lambda authorizer"; Lambda developer guide, "Invoking Lambda function URLs" and the pages of each
event source; Elastic Load Balancing, "Lambda functions as targets"; AppSync developer guide, "Lambda
resolvers" and "AWS_LAMBDA authorization"; IoT developer guide, "Defining your Lambda function"; Step
Functions developer guide, "Wait for a callback with task token"; Cognito developer guide, "Lambda triggers".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Way(Enum):
    """How a sender is told what became of its call."""

    HTTP = auto()
    """By a response document of API Gateway and function URLs."""
    ALB = auto()
    """By the same, as a load balancer takes it."""
    ERROR = auto()
    """By the error of a function."""
    TOKEN = auto()
    """Later, by whoever holds the task token in the event; until then it waits for no reply."""
    EVENT = auto()
    """By the event itself: its sender wants it back, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One kind of sender."""

    name: str
    way: Way
    marks: tuple[str, ...]
    """Members, with dots between levels, that all its events have, and no other's that stand below."""
    members: frozenset[str] | None = None
    """Set if its events have these members, and no others."""
    comes_in_lists: bool = False
    """Whether it sends several events in one list, too."""
    method: str | None = None
    """Member that holds the HTTP method."""
    values: frozenset[str] | None = None
    """Set if the first mark must be one of these, or begin so where one ends in `*`."""
    is_kept: bool = True
    """Whether a replay can be of use; if not, nothing of it is ever captured."""
    error_type: str = "Reprise.Captured"
    """What the error of a captured call is called."""
    is_repeated: bool = False
    """Whether AWS may send one event again, as one invocation: its request id is the key then."""


_POLLERS: Final = frozenset(
    {
        "aws:sqs",
        "aws:kinesis",
        "aws:dynamodb",
        "aws:kafka",
        "SelfManagedKafka",
        "aws:mq",
        "aws:rmq",
        "aws:docdb",
    }
)
OTHER: Final = Sender(name="other", way=Way.ERROR, marks=(), is_repeated=True)
"""Whatever else there is: an SDK, a state machine, EventBridge, a notification of S3 or SNS."""

SENDERS: Final = (
    Sender(name="authorizer", way=Way.ERROR, marks=("methodArn",), is_kept=False),
    Sender(name="authorizer of an HTTP API", way=Way.ERROR, marks=("routeArn",), is_kept=False),
    Sender(
        name="authorizer of AppSync",
        way=Way.ERROR,
        marks=("authorizationToken", "requestContext.apiId", "requestHeaders"),
        is_kept=False,
    ),
    Sender(
        name="authorizer of IoT",
        way=Way.ERROR,
        marks=("protocolData", "connectionMetadata", "protocols"),
        is_kept=False,
    ),
    Sender(
        name="load balancer",
        way=Way.ALB,
        marks=("requestContext.elb", "httpMethod"),
        method="httpMethod",
    ),
    Sender(
        name="HTTP API or function URL",
        way=Way.HTTP,
        marks=("requestContext.http.method",),
        method="requestContext.http.method",
    ),
    Sender(
        name="REST API, or HTTP API with payload 1.0",
        way=Way.HTTP,
        marks=("httpMethod", "requestContext"),
        method="httpMethod",
    ),
    Sender(
        name="AppSync, mutation",
        way=Way.ERROR,
        comes_in_lists=True,
        marks=("info.parentTypeName", "info.fieldName"),
        values=frozenset({"Mutation"}),
        error_type="Captured",
    ),
    # Queries, and the fields of what a query or a mutation returns.
    Sender(
        name="AppSync, field",
        way=Way.ERROR,
        comes_in_lists=True,
        marks=("info.parentTypeName", "info.fieldName"),
        is_kept=False,
    ),
    # Of these triggers Cognito wants the event back, and no more; the reply of every other decides something.
    # Known to the last member: a stranger's words that somebody passes on must not come back as a reply.
    Sender(
        name="Cognito, afterwards",
        way=Way.EVENT,
        marks=("triggerSource", "userPoolId"),
        values=frozenset({"PostConfirmation_*", "PostAuthentication_*"}),
        members=frozenset(
            {
                *("version", "triggerSource", "region", "userPoolId", "userName"),
                *("callerContext", "request", "response"),
            }
        ),
    ),
    Sender(name="Cognito", way=Way.ERROR, marks=("triggerSource", "userPoolId"), is_kept=False),
    # Queues and streams: whatever fails is sent again by Lambda itself, as another invocation each time.
    Sender(
        name="queue or stream",
        way=Way.ERROR,
        marks=("Records.eventSource",),
        values=_POLLERS,
        is_kept=False,
    ),
    Sender(
        name="topic or pipe that is polled",
        way=Way.ERROR,
        comes_in_lists=True,
        marks=("eventSource",),
        values=_POLLERS,
        is_kept=False,
    ),
    Sender(name="state machine that waits", way=Way.TOKEN, marks=("TaskToken",)),
    OTHER,
)
"""The first whose marks an event has is its sender."""
