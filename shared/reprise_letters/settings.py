"""The settings of what runs jobs in the stack: environment to frozen values, checked once at start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterJobSettings:
    """Settings of what runs jobs."""

    stack: str
    bucket: str
    ledger_table: str
    replay_queue_url: str
    capture_queue_url: str
    dead_letter_queue_url: str
    capture_dlq_url: str
    letter_jobs_queue_url: str
    letter_jobs_dlq_url: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> LetterJobSettings:
        """Read the settings; see `reprise.settings.read_settings`."""
        return read_settings(cls, env, stack=env.get("REPRISE_STACK") or "reprise")
