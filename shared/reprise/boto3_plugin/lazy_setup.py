"""What captures for this process, made when a call first needs it."""

from __future__ import annotations

import os
import time
from threading import Lock
from typing import TYPE_CHECKING, Final

from reprise.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reprise.boto3_plugin.capture_setup import CaptureSetup

AGAIN_S: Final = 60.0
"""How long calls go uncaptured, without waiting for it, once the stack could not be asked."""


def _make(env: Mapping[str, str]) -> CaptureSetup:
    from reprise.boto3_plugin.capture_setup import make_setup  # noqa: PLC0415 - the kernel, for calls that fail only

    return make_setup(env)


class LazySetup:
    """The setup of one process; safe to use from several threads."""

    __slots__ = ("_failed", "_found", "_lock", "_make", "_monotonic", "_until_s")

    def __init__(
        self,
        make: Callable[[Mapping[str, str]], CaptureSetup] = _make,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make it by this."""
        self._make = make
        self._monotonic = monotonic
        self._lock = Lock()
        self._found: CaptureSetup | None = None
        self._failed: SettingsError | None = None
        self._until_s = float("-inf")

    def get(self) -> CaptureSetup:
        """Return the setup.

        Raises:
            SettingsError: If it cannot be made: at once for a minute after that was tried.
        """
        with self._lock:
            if self._found is not None:
                return self._found
            if self._failed is not None and self._monotonic() < self._until_s:
                raise SettingsError(str(self._failed)) from self._failed
            try:
                self._found = self._make(os.environ)
            except SettingsError as error:
                self._fail(error)
                raise
            except Exception as error:
                # A fault of ours, too, must not be the end of a call that could be made.
                raise self._fail(SettingsError(repr(error))) from error
            return self._found

    def _fail(self, error: SettingsError) -> SettingsError:
        self._failed = error
        self._until_s = self._monotonic() + AGAIN_S
        return error


SETUP: Final = LazySetup()
