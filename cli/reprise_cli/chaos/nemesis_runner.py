"""Let nemeses strike for a while, and undo what they did."""

from __future__ import annotations

import random
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from reprise_cli.interrupt import uninterruptible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reprise_cli.chaos.history import History
    from reprise_cli.chaos.nemesis import Nemesis

_GAP_S: Final = 1.5
_SEED: Final = 1


@dataclass(slots=True, kw_only=True)
class NemesisRunner(AbstractContextManager["NemesisRunner"]):
    """Nemeses that strike from `start` on, until some time after `stop_after`, or the end of the context."""

    nemeses: Mapping[str, Nemesis]
    """By name."""
    history: History
    gap_s: float = _GAP_S
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _timer: threading.Timer | None = None
    _failure: Exception | None = None

    def start(self) -> None:
        """Begin; whatever cannot begin ends the run, since it would show nothing."""
        for name, nemesis in self.nemeses.items():
            self._note(name, nemesis.begin())
        self._thread = threading.Thread(target=self._strike_on, name="nemeses", daemon=True)
        self._thread.start()

    def stop_after(self, after_s: float) -> None:
        """Strike that long yet, and then undo everything."""
        self._timer = threading.Timer(after_s, self._over.set)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        """Undo everything, if that is not done; says what could not be undone."""
        with uninterruptible():
            self._over.set()
            if self._timer is not None:
                self._timer.cancel()
            if self._thread is not None:
                self._thread.join()
            else:
                self._heal()
        if self._failure is not None:
            raise self._failure

    def _strike_on(self) -> None:
        chance = random.Random(_SEED)  # noqa: S311 - faults, no secrets
        while not self._over.wait(self.gap_s):
            for name, nemesis in self.nemeses.items():
                try:
                    self._note(name, nemesis.strike(chance))
                except (OSError, ClientError, BotoCoreError) as error:
                    self._note(name, f"failed: {error}")
        self._heal()

    def _heal(self) -> None:
        for name, nemesis in self.nemeses.items():
            try:
                self.history.struck(name, "is over", hits=nemesis.hits())
            except OSError as error:
                self._failure = error
        for nemesis in self.nemeses.values():
            try:
                nemesis.heal()
            except (OSError, ClientError, BotoCoreError) as error:
                self._failure = error
        self.history.healed()

    def _note(self, name: str, what: str) -> None:
        if what:
            self.history.struck(name, what)
