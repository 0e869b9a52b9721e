"""The settings of the runner: environment to frozen values, checked once at start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise.call.outcome import OutcomeKind
from reprise.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """Settings of the runner."""

    targets: tuple[str, ...]
    """Functions, and job definitions, that jobs may name."""
    bucket: str
    mac_secret_arn: str
    call_timeout_s: int
    capture_outcomes: frozenset[OutcomeKind]
    """All that are no success: nobody waits for the answer of a scheduled call."""
    ledger_table: str
    jobs_queue_url: str
    jobs_dead_letter_queue_url: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> RunnerSettings:
        """Read the settings; see `reprise.settings.read_settings`."""
        return read_settings(
            cls, env, capture_outcomes=frozenset(OutcomeKind) - {OutcomeKind.SUCCEEDED}
        )
