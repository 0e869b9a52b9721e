"""Write down what happens in a chaos run, for a checker that was not there.

docs/reference/chaos-history.md has the format.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TextIO

from reprise_cli.chaos.call import leases_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reprise_cli.chaos.call import Call, CallAnswer, CallState, Receipt

_VERSION = 1


@dataclass(slots=True)
class History(AbstractContextManager["History"]):
    """One line an event, written at once: what a run that dies has seen is kept. Safe in many threads."""

    path: Path | None = None
    """None writes nothing."""
    monotonic: Callable[[], float] = time.monotonic
    _file: TextIO | None = None
    _began_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: set[tuple[str, str]] = field(default_factory=set)
    """Events of calls that are written, by name and id."""

    def __enter__(self) -> Self:
        """Begin the file anew."""
        self._began_s = self.monotonic()
        if self.path is not None:
            self._file = self.path.open("w", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def begin(self, run: str, calls: int, bound_s: float) -> None:
        """Say what is to be done, and how long anybody may wait."""
        self._write("begin", history=_VERSION, run=run, calls=calls, bound_s=bound_s)

    def called(self, call: Call) -> None:
        """Say that a call is made."""
        self._write("call", call=call.number, **({"fails": True} if call.is_poison else {}))

    def answered(self, answer: CallAnswer) -> None:
        """Say what its caller was told."""
        told: dict[str, Any] = {} if answer.call_id is None else {"id": answer.call_id}
        told |= {"problem": answer.problem} if answer.problem else {}
        self._write("answer", call=answer.call.number, kind=answer.kind.value, **told)

    def struck(self, name: str, what: str, hits: int | None = None) -> None:
        """Say what was done to the system, and at last how often that met anything."""
        self._write("fault", name=name, what=what, **({} if hits is None else {"hits": hits}))

    def healed(self) -> None:
        """Say that the last of it is over."""
        self._write("healed")

    def looked(self, standings: Mapping[str, CallState]) -> None:
        """Say what is new of captured calls."""
        for call_id, standing in standings.items():
            self._write_once("capture", call_id, captured_at=standing.captured_at)
            if standing.is_succeeded:
                self._write_once("end", call_id, state="succeeded")
            elif standing.is_dead_lettered:
                self._write_once("end", call_id, state="dead_lettered", reason=standing.reason)

    def finished(
        self,
        standings: Mapping[str, CallState],
        receipts: Sequence[Receipt],
        letters: frozenset[str],
    ) -> None:
        """Say what is known once nothing can happen any more."""
        self.looked(standings)
        for call_id, standing in standings.items():
            for lease in leases_of(standing):
                self._write("lease", id=call_id, **lease)
        for receipt in receipts:
            self._write("execution", call=receipt.call, ok=receipt.is_ok, ran_at=receipt.ran_at)
        for call_id in sorted(letters):
            self._write("letter", id=call_id)
        self._write("done")

    def _write_once(self, event: str, call_id: str, **fields: object) -> None:
        if (event, call_id) not in self._known:
            self._known.add((event, call_id))
            self._write(event, id=call_id, **fields)

    def _write(self, event: str, **fields: object) -> None:
        with self._lock:
            if self._file is None:
                return
            line = {"event": event, "at_s": round(self.monotonic() - self._began_s, 3), **fields}
            self._file.write(f"{json.dumps(line)}\n")
            self._file.flush()
