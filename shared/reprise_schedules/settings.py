"""The settings of the runner: environment to frozen values, checked once at start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise.call.outcome import OutcomeKind
from reprise.settings import list_of, number_of, text_of

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
        """Read the settings.

        Raises:
            SettingsError: Naming the variable that is missing or malformed.
        """
        return cls(
            targets=list_of(env, "REPRISE_TARGETS"),
            bucket=text_of(env, "REPRISE_BUCKET"),
            mac_secret_arn=text_of(env, "REPRISE_MAC_SECRET_ARN"),
            call_timeout_s=number_of(env, "REPRISE_CALL_TIMEOUT_S"),
            capture_outcomes=frozenset(OutcomeKind) - {OutcomeKind.SUCCEEDED},
            ledger_table=text_of(env, "REPRISE_LEDGER_TABLE"),
            jobs_queue_url=text_of(env, "REPRISE_JOBS_QUEUE_URL"),
            jobs_dead_letter_queue_url=text_of(env, "REPRISE_JOBS_DEAD_LETTER_QUEUE_URL"),
        )
