"""One batch's visit to one gate: take permits, hand them from call to call, bring them back.

The same object serves the replayer's threads and the simulations of `bench/`. It writes to the gate when it
takes permits, when half of them are idle, when something went wrong, and at the end: about three times in
ten calls. While the gates cannot be reached, the process's own memory takes their place.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

from reprise.call.outcome import OutcomeKind
from reprise.errors import StoreError
from reprise.gate.adjust import is_choosy, may_probe, settle
from reprise.gate.admit import Admission, AdmitStep, PermitRequest, admit
from reprise.gate.fallback import SPREAD_S, LocalGate
from reprise.gate.limit import service_s
from reprise.gate.parameters import DEFAULTS, GateParameters
from reprise.gate.samples import Sample, Samples
from reprise.gate.state import Change, Condition, GateState, Mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from reprise.ports import Draw, GateItems

_log = logging.getLogger(__name__)

EVERY_TARGET: Final = "*"
"""The item that notes throttles of the account or the caller; no function has such a name."""
SLOW_S: Final = 60.0
"""Service time from which calls wait for a permit of their batch although none can be run with it in time."""
_NEW: Final = GateState()
_TRIES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Allows one call to be made."""

    epoch: int
    is_handed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Permits:
    """What a batch may do with its calls of one target."""

    permits: tuple[Permit, ...] = ()
    is_probe: bool = False
    room: int = 0
    """How many further calls may wait for a permit of the batch's own."""


@dataclass(slots=True, kw_only=True)
class GateSession:
    """One batch at one gate; safe to use from several threads."""

    gates: GateItems
    memory: LocalGate
    function: str
    owner: str
    """Unique per batch: a probe is leased to it."""
    now_ms: Callable[[], int]
    draw: Draw
    lease_ms: int
    """How long a permit can be held at most, the same for every replayer."""
    most: int | None = None
    """Cap on the window from the target's concurrency; None if unknown."""
    parameters: GateParameters = DEFAULTS
    store_faults: int = 0
    """Times that the gates could not be reached."""
    _image: GateState = _NEW
    _is_read: bool = False
    _wide: GateState = _NEW
    _is_away: bool = False
    _tally: Samples = field(default_factory=Samples)
    _running: int = 0
    _granted: int = 0
    _room_until_ms: int = 0
    _lock: Lock = field(default_factory=Lock)

    def is_choosy(self) -> bool:
        """Tell whether the batch's next call would be a probe that not every call may be (`may_probe`).

        The gate is read once for that and for asking for permits.
        """
        try:
            self._image = self.gates.read(self.function)
        except StoreError:
            # Asking for permits meets it, too, and deals with it.
            return False
        self._is_read = True
        return is_choosy(self._image, self.now_ms())

    def may_probe(self, failures: int, backoff_s: float) -> bool:
        """Tell whether a call that failed so often may be that probe."""
        return may_probe(
            self._image,
            failures=failures,
            backoff_s=backoff_s,
            now_ms=self.now_ms(),
            parameters=self.parameters,
        )

    def enter(self, wanted: int) -> Permits:
        """Return the permits for a batch's calls; the others wait for `wait_s`."""
        with self._lock:
            try:
                admission = self._ask(wanted)
            except StoreError:
                self._note_fault("gate is away: this process decides")
                return self._enter_by_memory(wanted)
            self._tally.turn = admission.turn
            self._tally.is_probe = admission.is_probe
            self._running = self._granted = admission.permits
            permit = Permit(epoch=admission.epoch)
            return Permits(
                permits=(permit,) * admission.permits,
                is_probe=admission.is_probe,
                room=self._room(wanted, admission),
            )

    def leave(self, permit: Permit, meeting: Sample, *, is_wanted: bool) -> Permit | None:
        """Note how a call ended; return a permit for the next one if `is_wanted` and it may go."""
        with self._lock:
            if self._is_away:
                return self._leave_by_memory(meeting, is_wanted=is_wanted)
            self._tally.count(meeting)
            if is_wanted and self._may_hand_over(meeting):
                if self._image.slow_start and self._tally.succeeded >= self._granted:
                    # Slow start waits for this news; later, the end of the visit is soon enough.
                    self._tell()
                self._tally.handed += 1
                return Permit(epoch=permit.epoch, is_handed=True)
            self._running -= 1
            if not self._tally.is_probe:
                self._tally.give_back(permit.epoch)
            if self._is_telling(meeting):
                self._tell()
            return None

    def wait_s(self, draw: float) -> float:
        """Return when a call without a permit should come again; one draw keeps a batch together."""
        if self._is_away:
            return self.memory.wait_s(self.function, self.now_ms()) + draw * SPREAD_S
        admission = self._step(wanted=0).admission
        return admission.wait_s + draw * admission.spread_s

    def is_room_open(self) -> bool:
        """Tell whether calls may still wait for a permit of the batch's own."""
        return self.now_ms() < self._room_until_ms

    def is_over(self) -> bool:
        """Tell whether no call of this visit runs any more."""
        return not self._running

    # --- the gate ---------------------------------------------------------------------------------

    def _step(self, wanted: int) -> AdmitStep:
        request = PermitRequest(
            wanted=wanted, owner=self.owner, lease_ms=self.lease_ms, most=self.most
        )
        return admit(
            self._image,
            request,
            now_ms=self.now_ms(),
            wide=self._wide,
            parameters=self.parameters,
        )

    def _ask(self, wanted: int) -> Admission:
        self._wide = self.gates.read(EVERY_TARGET)
        if not self._is_read:
            self._image = self.gates.read(self.function)
        for _ in range(_TRIES):
            step = self._step(wanted)
            if step.change is None:
                return step.admission
            updated = self.gates.update(self.function, step.change)
            self._image = updated.image
            # Without permits it has ended a pause, and asks again: nobody else may come for a while.
            if (updated.applied and step.admission.permits) or self._is_ours(updated.image):
                return step.admission
        return Admission(permits=0)

    def _is_ours(self, image: GateState) -> bool:
        """Tell whether the probe is ours already: the SDK repeats a write whose answer was lost."""
        return image.mode == Mode.PROBING and image.probe_owner == self.owner

    def _room(self, wanted: int, admission: Admission) -> int:
        if admission.is_probe or not admission.permits:
            return 0
        known_s = service_s(self._image)
        # Calls of a slow target have the time to wait for one that turns out to have ended or expired.
        rounds = wanted if known_s > SLOW_S else int(self.parameters.room_s / known_s)
        self._room_until_ms = self.now_ms() + round(self.parameters.room_s * 1000)
        return min(wanted - admission.permits, admission.permits * rounds)

    def _may_hand_over(self, meeting: Sample) -> bool:
        now_ms = self.now_ms()
        return (
            not self._tally.is_probe
            and meeting.kind is not OutcomeKind.THROTTLED
            and self.is_room_open()
            and now_ms >= self._image.throttled_at_ms + self.parameters.brake_s * 1000
            and self._image.mode == Mode.FLOWING
            and self._image.in_flight <= self._image.window
        )

    def _is_telling(self, meeting: Sample) -> bool:
        idle = sum(self._tally.returned.values())
        is_news = meeting.kind is not OutcomeKind.SUCCEEDED
        return self._tally.is_probe or is_news or not self._running or 2 * idle >= self._granted

    def _tell(self) -> None:
        """Tell the gate what was met; if it cannot be told, the lease brings the permits back."""
        tally, self._tally = self._tally, Samples(turn=self._tally.turn)
        if tally.is_empty:
            return
        try:
            if tally.wide:
                self._tell_every_target()
            self._image = self.gates.read(self.function)
            for _ in range(_TRIES):
                change = settle(
                    self._image,
                    tally,
                    owner=self.owner,
                    now_ms=self.now_ms(),
                    parameters=self.parameters,
                )
                if not change.put and not change.add:
                    return
                updated = self.gates.update(self.function, change)
                self._image = updated.image
                if updated.applied:
                    return
        except StoreError:
            self._note_fault("gate could not be told")

    def _tell_every_target(self) -> None:
        now_ms = self.now_ms()
        seen_ms = self._wide.changed_at_ms
        put = {"throttled_at_ms": now_ms}
        if now_ms - seen_ms >= 1000:  # noqa: PLR2004 - a cut a second, as in `settle`
            put["changed_at_ms"] = now_ms
        when = (Condition(name="changed_at_ms", relation="=", value=seen_ms),)
        self._wide = self.gates.update(EVERY_TARGET, Change(put=put, when=when)).image

    def _note_fault(self, what: str) -> None:
        self.store_faults += 1
        _log.exception(what, extra={"target": self.function})

    # --- the memory -------------------------------------------------------------------------------

    def _enter_by_memory(self, wanted: int) -> Permits:
        self._is_away = True
        now_ms = self.now_ms()
        if not self.memory.may_go(self.function, now_ms):
            return Permits()
        self._room_until_ms = now_ms + round(self.parameters.room_s * 1000)
        self._running = 1
        return Permits(permits=(Permit(epoch=0),), room=wanted - 1)

    def _leave_by_memory(self, meeting: Sample, *, is_wanted: bool) -> Permit | None:
        now_ms = self.now_ms()
        has_room = meeting.kind is OutcomeKind.SUCCEEDED
        if meeting.kind is not None:
            self.memory.learn(self.function, has_room=has_room, now_ms=now_ms, draw=self.draw())
        if is_wanted and has_room and now_ms < self._room_until_ms:
            return Permit(epoch=0, is_handed=True)
        self._running = 0
        return None
