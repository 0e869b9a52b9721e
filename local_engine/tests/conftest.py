"""An engine of its own for these tests, and the proof that its canaries are worth something.

With REPRISE_TEST_STOCK=1 only the canaries run, against ministack without any
correction, and each has to fail there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from local_engine.control import Engine
from local_engine.corrections import CORRECTIONS
from local_engine.testing import Aws

if TYPE_CHECKING:
    from collections.abc import Iterator

# As in the repository's other tests (tests/conftest.py).
settings.register_profile(
    "default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "default")

IS_STOCK = os.environ.get("REPRISE_TEST_STOCK") == "1"

#: The canary of each correction, and of the guard, which stands before them all.
CANARIES = {
    "guard": "test_function_is_not_made_without_the_key",
    "runtime": "test_environment_outlives_a_handler_exception",
    "role_credentials": "test_role_credentials_cannot_be_told_from_its_name",
    "lineage": "test_chain_through_a_queue_stops_after_sixteen_hops_unless_allowed",
    "invoke_limits": "test_too_large_request_is_refused",
    "aliases": "test_function_of_an_alias_sees_the_alias_whoever_invokes_it",
    "doors": "test_every_door_answers_in_its_own_way",
    "account_pool": "test_full_account_refuses_who_has_no_reservation_and_only_them",
    "invocations": "test_throttle_counts_once_and_is_no_invocation",
    "subscriptions": "test_matching_lines_reach_the_bucket_in_the_envelope",
    "log_search": "test_search_follows_the_grammar_and_pages",
    "firehose": "test_records_of_an_interval_are_members_of_one_object",
    "conditions": "test_condition_over_a_split_list_selects_resources",
    "secrets": "test_reference_to_a_secret_is_its_arn_and_its_value_is_as_asked",
    "retention": "test_table_and_bucket_keep_things_as_their_template_says",
    "template_urls": "test_template_shows_the_address_of_a_nested_one_at_s3",
    "functions": "test_reserved_concurrency_of_a_template_throttles",
    "queues": "test_delay_over_fifteen_minutes_is_refused",
    "move_tasks": "test_dead_letters_move_back_to_their_source",
    "event_sources": "test_unknown_item_identifier_fails_the_batch",
    "metrics": "test_embedded_metric_line_becomes_a_metric",
    "table_metrics": "test_table_tells_the_capacity_that_it_used",
    "metric_math": "test_expressions_are_evaluated_on_what_the_request_has",
    "alarms": "test_alarm_watches_the_queue_of_its_dimension_and_acts",
    "schedules": "test_one_time_schedule_calls_the_api_on_time_and_is_deleted",
    "recurring": "test_cron_runs_at_the_instants_of_its_time_zone_across_a_change_of_clocks",
    "batch_jobs": "test_job_that_no_host_takes_waits_until_it_is_ended",
    "nested_transforms": "test_transform_of_a_nested_template_is_applied",
    "nested_updates": "test_nested_stack_whose_resources_stay_is_updated",
    "nested_deletion": "test_what_a_nested_stack_retains_outlives_it",
    "tls": "test_policy_for_tls_only_lets_a_local_call_in",
    "batch_permissions": "test_batch_needs_the_permission_of_the_single_action",
    "batch_job_permissions": "test_role_submits_to_its_own_queue_and_ends_only_jobs_of_its_tag",
    "concurrency_permissions": "test_role_that_may_read_concurrency_reads_it_and_changes_none",
    "permissions": "test_what_roles_use_and_are_refused_is_told_to_whoever_asks_for_it",
    "alarm_permissions": "test_role_that_may_see_alarms_sees_them_and_nothing_else_of_cloudwatch",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Against stock ministack, run the canaries only, and expect each to fail."""
    if not IS_STOCK:
        return
    canaries = [item for item in items if item.name in CANARIES.values()]
    config.hook.pytest_deselected(items=[item for item in items if item not in canaries])
    for item in canaries:
        item.add_marker(pytest.mark.xfail(strict=True, reason="stock ministack"))
    items[:] = canaries


def pytest_configure() -> None:
    """Refuse a correction without a canary, or a canary without its correction."""
    if difference := set(CANARIES) ^ {"guard", *CORRECTIONS}:
        message = f"canaries and corrections differ in {sorted(difference)}"
        raise pytest.UsageError(message)


@pytest.fixture(scope="session")
def is_stock() -> bool:
    return IS_STOCK


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Run an engine where a Firehose minute lasts half a second."""
    engine = Engine(state_dir=tmp_path_factory.mktemp("engine"))
    engine.start(time_scale=1 / 120, stock=IS_STOCK)
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def aws(engine: Engine) -> Aws:
    return Aws.at(engine)
