"""Reading: what is refused, gone or away becomes a fact, and drift is waited for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from reprise_cli.doctor.read import NotRead
from reprise_cli.doctor.reading.attempt import attempt
from reprise_cli.doctor.reading.functions import function_of
from reprise_cli.doctor.reading.stacks import Family, StackReader
from reprise_cli.doctor.reading.stores import SourceReader
from reprise_cli.doctor.things import DriftFacts, SourceFacts, StackFacts

if TYPE_CHECKING:
    from collections.abc import Iterator


def failing(code: str) -> Any:
    def ask() -> object:
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, "Op")

    return ask


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("AccessDenied", NotRead("sqs:Look is not allowed to you")),
        ("AccessDeniedException", NotRead("sqs:Look is not allowed to you")),
        ("403", NotRead("sqs:Look is not allowed to you")),
        ("ResourceNotFoundException", None),
        ("AWS.SimpleQueueService.NonExistentQueue", None),
        ("ThrottlingException", NotRead("sqs:Look was answered by ThrottlingException")),
    ],
)
def test_an_error_becomes_a_fact(code: str, found: object) -> None:
    assert attempt("sqs:Look", failing(code)) == found


def test_a_service_that_is_away_becomes_a_fact() -> None:
    def ask() -> object:
        raise EndpointConnectionError(endpoint_url="https://x")

    assert attempt("sqs:Look", ask) == NotRead("sqs:Look was not answered: EndpointConnectionError")


class FakeCloudFormation:
    """Tells of one stack, and of what was found to have drifted in it."""

    def __init__(self, statuses: list[str], **stack: Any) -> None:
        self._statuses: Iterator[str] = iter(statuses)
        self._stack = {"StackStatus": "CREATE_COMPLETE", **stack}
        self.events: list[dict[str, str]] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if StackName != "s":
            raise ClientError({"Error": {"Code": "ValidationError", "Message": ""}}, "Op")
        return {"Stacks": [self._stack]}

    def describe_stack_events(self, StackName: str) -> dict[str, Any]:
        del StackName
        return {"StackEvents": self.events}

    def detect_stack_drift(self, StackName: str) -> dict[str, str]:
        return {"StackDriftDetectionId": StackName}

    def describe_stack_drift_detection_status(self, **_: Any) -> dict[str, str]:
        status = next(self._statuses)
        is_over = status != "DETECTION_IN_PROGRESS"
        return {"DetectionStatus": status} | ({"StackDriftStatus": "DRIFTED"} if is_over else {})

    def describe_stack_resource_drifts(self, **_: Any) -> dict[str, Any]:
        paths = [{"PropertyPath": "/VisibilityTimeout"}]
        return {
            "StackResourceDrifts": [
                {
                    "LogicalResourceId": "Q",
                    "StackResourceDriftStatus": "MODIFIED",
                    "PropertyDifferences": paths,
                },
                {"LogicalResourceId": "R", "StackResourceDriftStatus": "DELETED"},
            ]
        }

    def get_paginator(self, _: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "Op")


def drift(client: FakeCloudFormation, *, is_asked: bool, waits: list[float]) -> object:
    reader = StackReader(client=client)
    return reader.drift({"s": "s"}, is_asked=is_asked, wait=waits.append)["s"]


def test_drift_is_waited_for_and_named() -> None:
    waits: list[float] = []
    client = FakeCloudFormation(["DETECTION_IN_PROGRESS"] * 2 + ["DETECTION_COMPLETE"])
    found = drift(client, is_asked=True, waits=waits)
    assert found == DriftFacts(status="DRIFTED", changed=("Q (VisibilityTimeout)", "R is gone"))
    assert waits == [2.0, 2.0]


def test_drift_that_is_not_found_in_time_or_at_all_is_said() -> None:
    slow = FakeCloudFormation(["DETECTION_IN_PROGRESS"] * 1000)
    assert isinstance(drift(slow, is_asked=True, waits=[]), NotRead)
    failed = FakeCloudFormation(["DETECTION_FAILED"])
    assert isinstance(drift(failed, is_asked=True, waits=[]), NotRead)


def test_what_was_found_last_time_is_told_without_looking_again() -> None:
    told = FakeCloudFormation([], DriftInformation={"StackDriftStatus": "DRIFTED"})
    found = drift(told, is_asked=False, waits=[])
    assert found == DriftFacts(status="DRIFTED", changed=("Q (VisibilityTimeout)", "R is gone"))
    stale = FakeCloudFormation([], DriftInformation={"StackDriftStatus": "IN_SYNC"})
    assert isinstance(drift(stale, is_asked=False, waits=[]), NotRead)


def test_a_failed_stack_tells_its_first_causes_and_no_cancellations() -> None:
    client = FakeCloudFormation([], StackStatus="ROLLBACK_COMPLETE")
    client.events = [
        {
            "LogicalResourceId": name,
            "ResourceStatus": "CREATE_FAILED",
            "ResourceStatusReason": why,
        }
        for name, why in (("C", "Resource creation cancelled"), ("B", "later"), ("A", "first"))
    ]
    family = StackReader(client=client).read("s", ())
    state = StackFacts(status="ROLLBACK_COMPLETE", why=("A: first", "B: later"))
    assert family.states == {"s": state}
    assert family.resources == NotRead("cloudformation:ListStackResources is not allowed to you")


def test_roles_of_a_template_that_was_not_read_are_not_said_to_lack_anything() -> None:
    assert Family(states={}, resources=NotRead("no")).wanted_of_roles() == {}


class FakeSecrets:
    """Two sources, one whose document is no JSON."""

    def get_paginator(self, _: str) -> FakeSecrets:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        names = ("reprise/source/shop", "reprise/source/bad", "reprise-2/source/other")
        return [{"SecretList": [{"Name": name} for name in names]}]

    def get_secret_value(self, SecretId: str) -> dict[str, str]:
        if SecretId.endswith("/shop"):
            keys = {"current": "k2", "k1": "a" * 64, "k2": "b" * 64, "targets": ["*"]}
            return {"SecretString": json.dumps(keys)}
        if SecretId.endswith("/bad"):
            return {"SecretString": "{"}
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "Op")


def test_of_a_source_the_names_of_its_keys_are_kept_and_no_key() -> None:
    found = SourceReader(client=FakeSecrets(), stack="reprise").sources(["invoker"])
    assert not isinstance(found, NotRead)
    assert list(found) == ["invoker", "shop", "bad"]
    assert found["invoker"] is None
    assert found["shop"] == SourceFacts(current="k2", names=("k1", "k2"))
    assert isinstance(found["bad"], SourceFacts)
    assert found["bad"].problem
    assert "a" * 64 not in repr(found)


def test_of_a_function_only_variables_that_concern_us_are_kept() -> None:
    variables = {"DB_PASSWORD": "hunter2", "REPRISE_STACK": "reprise"}
    found = function_of({"FunctionArn": "arn", "Environment": {"Variables": variables}})
    assert found.environment == {"REPRISE_STACK": "reprise"}
