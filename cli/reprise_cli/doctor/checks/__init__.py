"""The checks, a row each, in the order in which they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reprise_cli.doctor.checks.callers import CALLER_CHECKS
from reprise_cli.doctor.checks.capture import CAPTURE_CHECKS
from reprise_cli.doctor.checks.deployment import DEPLOYMENT_CHECKS
from reprise_cli.doctor.checks.functions import FUNCTION_CHECKS
from reprise_cli.doctor.checks.keeping import KEEPING_CHECKS
from reprise_cli.doctor.checks.operator import OPERATOR_CHECKS
from reprise_cli.doctor.checks.queues import QUEUE_CHECKS
from reprise_cli.doctor.checks.replay import REPLAY_CHECKS

if TYPE_CHECKING:
    from reprise_cli.doctor.check import Check

CHECKS: Final[tuple[Check[Any], ...]] = (
    *DEPLOYMENT_CHECKS,
    *FUNCTION_CHECKS,
    *KEEPING_CHECKS,
    *CAPTURE_CHECKS,
    *QUEUE_CHECKS,
    *REPLAY_CHECKS,
    *OPERATOR_CHECKS,
    *CALLER_CHECKS,
)
