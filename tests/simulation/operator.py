"""An operator who brings dead letters back, with the command's own code."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from reprise.errors import StoreError
from reprise.ledger import TERMINAL
from reprise_letters.letter import read_letter
from reprise_letters.redrive import Action, Redriver
from simulation.history import Batch
from simulation.world import SendingQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reprise.ledger import Row
    from reprise_letters.letter import Letter
    from simulation.queue import SimulatedQueue
    from simulation.world import World


class _Box:
    """The dead-letter queue, where letters are deleted."""

    def __init__(self, world: World, letters: SimulatedQueue) -> None:
        self._world = world
        self._letters = letters

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        self._world.scheduler.sleep(0.05)
        if self._world.faults.is_met("keep deleted"):
            raise StoreError("simulated", "DeleteMessageBatch", "InternalServerError", "refused")
        for letter in letters:
            self._letters.messages.pop(letter.message_id, None)
        return []


class _Hurrying:
    """The ledger; what is late comes at the worst moment, when a call has just been opened again."""

    def __init__(self, world: World, *, may_state: bool) -> None:
        self._world = world
        self._may_state = may_state
        """Whether the operator is allowed PartiQL; without it calls are opened one by one."""
        self._ledger = world.stores()[0]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def redrive(self, dead: Row, **request: Any) -> bool:
        self._may_open(dead.id)
        is_open: bool = self._ledger.redrive(dead, **request)
        if is_open:
            self._opened(dead.id)
        return is_open

    def redrive_all(self, dead: Sequence[Row], **request: Any) -> frozenset[str]:
        if not self._may_state:
            raise StoreError("dynamodb", "BatchExecuteStatement", "AccessDeniedException", "denied")
        for row in dead:
            self._may_open(row.id)
        opened: frozenset[str] = self._ledger.redrive_all(dead, **request)
        for call_id in sorted(opened):
            self._opened(call_id)
        return opened

    def _may_open(self, call_id: str) -> None:
        """From here on it may be open again, and its former end is void."""
        history = self._world.history
        history.redrives[call_id] += 1
        history.ended_at_s.pop(call_id, None)

    def _opened(self, call_id: str) -> None:
        self._world.history.redriven_at_s[call_id] = self._world.scheduler.now_s
        self._world.faults.hurry(call_id)


class Operator:
    """Redrives every letter that lies there when he comes."""

    def __init__(self, world: World, replays: SimulatedQueue, letters: SimulatedQueue) -> None:
        self._world = world
        self._replays = replays
        self._letters = letters
        self._left: list[set[str]] = []
        """Of each time that he came, the calls that he could not redrive; two may come at once."""

    def cancel(self) -> None:
        """Cancel one call that has not ended, if there is one; what runs must be refused."""
        world = self._world
        waits = [(name, row) for name, row in world.rows().items() if row.state not in TERMINAL]
        if not waits:
            return
        call_id, seen = world.cancels.choice(waits)
        if not world.faults.happens("cancel"):
            return

        def run() -> None:
            # Whatever is answered: the write may be done, or on its way.
            world.history.maybe_cancelled.add(call_id)
            with suppress(StoreError):
                is_done = world.stores()[0].cancel(
                    call_id, opened_at=seen.opened_at, now=world.pipeline.clock(), note="why"
                )
                world.faults.note("cancel", call_id, str(is_done))

        world.scheduler.start(Batch(name="operator"), run)

    def finish(self) -> None:
        """Redrive once more what could not be redriven."""
        self.start(set().union(*self._left))

    def start(self, only: set[str] | None = None) -> None:
        """Redrive every letter, or only those of these calls."""
        world = self._world
        letters = [
            read_letter(
                {
                    "MessageId": message.name,
                    "Body": message.body,
                    "Attributes": {"SentTimestamp": "0"},
                    "MessageAttributes": {},
                }
            )
            for message in self._letters.messages.values()
        ]
        letters = [letter for letter in letters if only is None or letter.id in only]
        if not letters or not world.faults.happens("redrive"):
            return

        def run() -> None:
            ledger = _Hurrying(world, may_state=bool(len(self._left) % 2))
            # Until it is told otherwise: the command may be ended half way.
            left = {letter.id for letter in letters}
            self._left.append(left)
            redriver = Redriver(
                ledger=cast("Any", ledger),
                queue=cast("Any", SendingQueue(world, self._replays)),
                letters=_Box(world, self._letters),
                keys=world.pipeline.keys,
                clock=world.pipeline.clock,
            )
            for result in redriver.run(letters):
                world.faults.note("redrive", result.letter.id, result.action)
                if result.action is not Action.FAILED:
                    left.discard(result.letter.id)

        world.scheduler.start(Batch(name="operator"), run)
