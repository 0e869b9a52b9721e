"""The corrections, in the order they are applied."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_engine.options import EngineOptions

#: Modules of this package; each has one canary in ``local_engine/tests``.
CORRECTIONS = (
    "runtime",
    "role_credentials",
    "lineage",
    "invoke_limits",
    "aliases",
    "doors",
    "account_pool",
    "invocations",
    "subscriptions",
    "log_search",
    "firehose",
    "conditions",
    "secrets",
    "retention",
    "template_urls",
    "nested_transforms",
    "nested_updates",
    "nested_deletion",
    "functions",
    "queues",
    "move_tasks",
    "event_sources",
    "metrics",
    "table_metrics",
    "metric_math",
    "alarms",
    "schedules",
    "recurring",
    "batch_jobs",
    "tls",
    "batch_permissions",
    "batch_job_permissions",
    "alarm_permissions",
    "concurrency_permissions",
    "permissions",
)


def apply_all(options: EngineOptions) -> tuple[str, ...]:
    """Apply every correction and return their names."""
    for name in CORRECTIONS:
        importlib.import_module(f"local_engine.corrections.{name}").apply(options)
    return CORRECTIONS
