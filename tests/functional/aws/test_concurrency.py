"""How much concurrency a function has, from stubbed answers: moto knows no account limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from reprise.aws.clients import Clients
from reprise.aws.config import BELIEVED_S, UNKNOWN_S, FunctionConcurrency
from strategies import ORDERS

if TYPE_CHECKING:
    from collections.abc import Iterator


class Monotonic:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def stubbed(clients: Clients) -> Iterator[tuple[Stubber, FunctionConcurrency, Monotonic]]:
    del clients  # moto runs as long as they do
    client, monotonic = Clients(is_thin=False).functions(5), Monotonic()
    with Stubber(client) as stubber:
        yield stubber, FunctionConcurrency(client, monotonic), monotonic
        stubber.assert_no_pending_responses()


def _answer(stubber: Stubber, reserved: int | None) -> None:
    response: dict[str, Any] = {}
    if reserved is not None:
        response["ReservedConcurrentExecutions"] = reserved
    stubber.add_response("get_function_concurrency", response, {"FunctionName": ORDERS})


def test_reserved_concurrency_that_is_raised_in_an_outage_is_known_within_five_minutes(
    stubbed: tuple[Stubber, FunctionConcurrency, Monotonic],
) -> None:
    stubber, concurrency, monotonic = stubbed
    _answer(stubber, 20)
    assert concurrency.limit(ORDERS) == 20
    monotonic.now_s = BELIEVED_S - 1
    assert concurrency.limit(ORDERS) == 20
    monotonic.now_s = 5 * 60.0
    _answer(stubber, 30)
    assert concurrency.limit(ORDERS) == 30


def test_a_function_without_any_has_what_the_account_leaves_unreserved(
    stubbed: tuple[Stubber, FunctionConcurrency, Monotonic],
) -> None:
    stubber, concurrency, _ = stubbed
    _answer(stubber, None)
    limit = {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}}
    stubber.add_response("get_account_settings", limit, {})
    assert concurrency.limit(ORDERS) == 900


def test_zero_is_asked_again_within_a_minute(
    stubbed: tuple[Stubber, FunctionConcurrency, Monotonic],
) -> None:
    stubber, concurrency, monotonic = stubbed
    _answer(stubber, 0)
    assert concurrency.limit(ORDERS) == 0
    monotonic.now_s = UNKNOWN_S
    _answer(stubber, 10)
    assert concurrency.limit(ORDERS) == 10


def test_a_limit_that_cannot_be_had_is_unknown_and_stops_nothing(
    stubbed: tuple[Stubber, FunctionConcurrency, Monotonic],
) -> None:
    stubber, concurrency, _ = stubbed
    stubber.add_client_error("get_function_concurrency", "AccessDeniedException")
    assert concurrency.limit(ORDERS) is None
    assert concurrency.limit(ORDERS) is None


def test_targets_that_are_no_functions_have_no_limit_and_nobody_is_asked(
    stubbed: tuple[Stubber, FunctionConcurrency, Monotonic],
) -> None:
    _, concurrency, _ = stubbed
    definition = "arn:aws:batch:eu-west-1:111122223333:job-definition/nightly"
    assert concurrency.limit(definition) is None


PROVIDER = {
    "LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": "arn:aws:lambda:eu-central-1:123456789012:capacity-provider:shop"
    }
}


def _configured(stubber: Stubber, **response: Any) -> None:
    stubber.add_response("get_function_configuration", response, {"FunctionName": ORDERS})


def test_a_function_on_a_capacity_provider_shares_cpus_and_is_asked_every_five_minutes(
    stubbed: tuple[Stubber, FunctionConcurrency, Monotonic],
) -> None:
    stubber, concurrency, monotonic = stubbed
    _configured(stubber, CapacityProviderConfig=PROVIDER)
    assert concurrency.shares_cpus(ORDERS)
    monotonic.now_s = BELIEVED_S - 1
    assert concurrency.shares_cpus(ORDERS)
    monotonic.now_s = BELIEVED_S
    _configured(stubber, FunctionName="orders")
    assert not concurrency.shares_cpus(ORDERS)


def test_whether_calls_share_cpus_stays_as_it_was_known_where_it_may_not_be_asked(
    stubbed: tuple[Stubber, FunctionConcurrency, Monotonic],
) -> None:
    stubber, concurrency, monotonic = stubbed
    stubber.add_client_error("get_function_configuration", "AccessDeniedException")
    assert not concurrency.shares_cpus(ORDERS)
    assert not concurrency.shares_cpus(ORDERS)
    monotonic.now_s = BELIEVED_S
    _configured(stubber, CapacityProviderConfig=PROVIDER)
    assert concurrency.shares_cpus(ORDERS)
    monotonic.now_s = 2 * BELIEVED_S
    stubber.add_client_error("get_function_configuration", "AccessDeniedException")
    assert concurrency.shares_cpus(ORDERS)


def test_a_target_of_another_type_shares_no_cpus(
    stubbed: tuple[Stubber, FunctionConcurrency, Monotonic],
) -> None:
    _, concurrency, _ = stubbed
    assert not concurrency.shares_cpus("arn:aws:batch:eu-west-1:123456789012:job-definition/x")
