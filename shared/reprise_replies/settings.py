"""The settings of the replier: environment to frozen values, checked once at start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise.call.destinations import Destinations, read_destinations
from reprise.errors import SettingsError
from reprise.settings import read_settings, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_DESTINATIONS = "REPRISE_REPLY_DESTINATIONS"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplierSettings:
    """Settings of the replier."""

    stack: str
    bucket: str
    ledger_table: str
    replies_queue_url: str
    replies_dead_letter_queue_url: str
    webhook_secret_arn: str
    event_bus: str
    destinations: Destinations

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ReplierSettings:
        """Read the settings; see `reprise.settings.read_settings`."""
        try:
            destinations = read_destinations(text_of(env, _DESTINATIONS))
        except ValueError as error:
            msg = f"environment variable {_DESTINATIONS}: {error}"
            raise SettingsError(msg) from error
        return read_settings(
            cls,
            env,
            destinations=destinations,
            stack=env.get("REPRISE_STACK") or "reprise",
            event_bus=env.get("REPRISE_EVENT_BUS") or "default",
        )
