"""Put together what captures calls that the SDK makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reprise.settings import ANSWERING_DOORS_CAPTURE, STDOUT, OnCapture
from reprise.telemetry import EmfMeter
from reprise.wiring import make_clients
from reprise.wiring.callers import make_invoker, read_caller_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise.capturing.invoker import CallInvoker
    from reprise.ports import Meter
    from reprise.settings import CallerSettings

_OUTCOMES: Final = "REPRISE_CAPTURE_OUTCOMES"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSetup:
    """Captures the calls of one process."""

    settings: CallerSettings
    invoker: CallInvoker
    """Its functions are none: each call brings the exchange that it is sent by."""
    meter: Meter
    on_capture: OnCapture

    def flush(self) -> None:
        """Write what was counted, if anybody reads it."""
        if isinstance(self.meter, EmfMeter):
            self.meter.flush()


class _NoMeter:
    """Counts nothing: outside Lambda standard output is the program's own, and no metric is made of it."""

    def count(self, name: str, value: int = 1, **_: str | None) -> None:
        """Leave it."""

    def observe(self, name: str, value: float, *, target: str | None = None) -> None:
        """Leave it."""


def make_setup(env: Mapping[str, str]) -> CaptureSetup:
    """Return what captures, by the environment and by what the stack says.

    Raises:
        SettingsError: Naming what is missing or malformed.
    """
    clients = make_clients()
    settings = read_caller_settings(env, clients)
    is_read = "AWS_LAMBDA_FUNCTION_NAME" in env or settings.capture_log_group == STDOUT
    meter: Meter = _NoMeter()
    if is_read:
        meter = EmfMeter(stack=env.get("REPRISE_STACK"), targets=settings.targets)
    invoker = make_invoker(clients, settings, meter=meter)
    if _OUTCOMES in env:
        # Said of this caller, and so before what is said of its targets.
        invoker = replace(invoker, policies=None)
    else:
        invoker = replace(invoker, capture_outcomes=ANSWERING_DOORS_CAPTURE)
    return CaptureSetup(
        settings=settings, invoker=invoker, meter=meter, on_capture=OnCapture.from_env(env)
    )
