"""The processes of the world: the product's own replayer, unpacker, invoker, redriver and canceller.

Composed as in production, by `harness.Pipeline` and so by `reprise.wiring`. Nothing here says in which order
they do what: that is read from what they ask.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from doubles import InMemoryObjects
from exploration.tape import (
    TICK_S,
    Answer,
    InTurn,
    Request,
    Suspended,
    Tape,
    TapeClient,
    TapeClock,
    TapeFunctions,
    TapeLetters,
    TapeQueue,
    wait_for_none,
)
from harness import FAILED, ORDERS, THROTTLED, UNKNOWN, Pipeline, call
from reprise.aws.gate_table import GateTable
from reprise.aws.ledger_table import LedgerTable
from reprise.call.payload import ClaimCheck
from reprise.errors import StoreError
from reprise.replay.message import Delivery, Worker
from reprise.testing import SUCCEEDED
from reprise.unpack.consumer import Notice
from reprise_letters.letter import read_letter
from reprise_letters.redrive import Redriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reprise.replay.batch import Replayer

TABLE: Final = "ledger"
REPLIES: Final = {"ok": SUCCEEDED, "failed": FAILED, "throttled": THROTTLED, "unknown": UNKNOWN}
REPLAYER_S: Final = 100
"""A replayer's time: one call, the margin, and a little. Less than a tick."""
CALL_TIMEOUT_S: Final = 60


class Start(NamedTuple):
    """What a process was given."""

    role: str
    """`replayer`, `unpacker`, `caller`, `redriver` or `canceller`."""
    name: str
    """Of nobody else that is alive, or written down anywhere."""
    tick: int
    given: tuple[str, ...]
    """Bodies of messages or of letters; or the number of the call that is made, the id of one to cancel."""
    held: tuple[int, ...] = ()
    """Numbers of the messages, in the same order."""


class AddressedObjects(InMemoryObjects):
    """A bucket whose versions are named by what they hold: it never changes, so no state needs it."""

    versions: dict[str, bytes]

    def put(self, key: str, data: bytes) -> ClaimCheck:
        version_id = hashlib.sha256(data).hexdigest()
        self.versions[version_id] = data
        self.kept[key] = data
        return ClaimCheck(bucket=self.bucket, key=key, version_id=version_id)

    def get(self, claim_check: ClaimCheck) -> bytes:
        return self.versions[claim_check.version_id or ""]

    def stream(self, bucket: str, key: str, version_id: str | None = None) -> Iterator[bytes]:
        data = self.versions.get(version_id or "")
        return super().stream(bucket, key) if data is None else iter((data,))


def _as_it_is(request: dict[str, Any]) -> dict[str, Any]:
    return request


def _whole(replayer: Replayer) -> Replayer:
    return replayer


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Plays processes."""

    policy: str
    """The policy document."""
    plant: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is
    """Changes what is asked of DynamoDB: a planted fault."""
    change_replayer: Callable[[Replayer], Replayer] = _whole
    """Changes how the replayer is composed: another one."""
    objects: AddressedObjects = field(default_factory=AddressedObjects)

    def __post_init__(self) -> None:
        self.objects.versions = {}

    def next_request(self, start: Start, answers: Sequence[tuple[Answer, int]]) -> Request:
        """Return what a process asks next; the last one is how it ends."""
        tape = Tape(start.tick, answers)
        try:
            try:
                result = getattr(self, f"_{start.role}")(start, tape)
            except StoreError:
                # Of an operator's command, which tells of it.
                result = None
            tape.ask("end", start.role, result)
        except Suspended as suspended:
            return suspended.request
        msg = "the end has no answer"
        raise AssertionError(msg)

    def pipeline(self, tape: Tape, name: str) -> Pipeline:
        """Return the product's stages in one process: its own memory, and a world that is a tape."""
        clock = TapeClock(tape)
        client: Any = TapeClient(tape, self.plant)
        pipeline: Any = Pipeline(
            policy=self.policy,
            call_timeout_s=CALL_TIMEOUT_S,
            clock=clock,
            functions=cast("Any", TapeFunctions(tape, REPLIES)),
            objects=self.objects,
            ledger=cast("Any", LedgerTable(client, TABLE, lambda _: None)),
            gate_items=cast("Any", GateTable(client, TABLE, clock.seconds)),
            replay_queue=cast("Any", TapeQueue(tape, "replays")),
            capture_queue=cast("Any", TapeQueue(tape, "captures")),
            dead_letters=cast("Any", TapeQueue(tape, "letters")),
            executor=cast("Any", InTurn),
            wait=wait_for_none,
        )
        pipeline.lines = _Lines(tape)
        # What a process draws at random is nobody else's.
        pipeline._serial = int.from_bytes(name.encode()) << 32  # noqa: SLF001 - the double's own
        return cast("Pipeline", pipeline)

    def _replayer(self, start: Start, tape: Tape) -> dict[str, float | None]:
        """Replay messages; return by their handles how long each is to wait, None if it has served."""
        pipeline = self.pipeline(tape, start.name)
        replayer = self.change_replayer(pipeline.replayer())
        deliveries = [
            Delivery(message_id=f"m{i}", receipt_handle=f"m{i}", body=body)
            for i, body in enumerate(start.given)
        ]

        def remaining_ms() -> int:
            return 1000 * (REPLAYER_S - TICK_S * (tape.tick - start.tick))

        again = replayer.run(deliveries, Worker(owner=start.name, remaining_ms=remaining_ms))
        waits_s = cast("TapeQueue", pipeline.replay_queue).waits_s
        return {each.message_id: _wait(each.message_id, again, waits_s) for each in deliveries}

    def _unpacker(self, start: Start, tape: Tape) -> dict[str, float | None]:
        """Unpack objects; return the same."""
        pipeline = self.pipeline(tape, start.name)
        notices = [
            Notice(message_id=f"m{i}", receipt_handle=f"m{i}", body=body, receive_count=1)
            for i, body in enumerate(start.given)
        ]
        again = pipeline.intake().run(notices, lambda: 300_000)
        waits_s = cast("TapeQueue", pipeline.capture_queue).waits_s
        return {each.message_id: _wait(each.message_id, again, waits_s) for each in notices}

    def _caller(self, start: Start, tape: Tape) -> None:
        """Make a live call, by the key of a captured one."""
        self.pipeline(tape, start.name).caller().run(request_of(int(start.given[0])))

    def _redriver(self, start: Start, tape: Tape) -> None:
        """Redrive letters."""
        pipeline = self.pipeline(tape, start.name)
        redriver = Redriver(
            ledger=pipeline.ledger,
            queue=pipeline.replay_queue,
            letters=TapeLetters(tape),
            keys=pipeline.keys,
            clock=pipeline.clock,
        )
        redriver.run(
            [
                read_letter({"MessageId": f"m{i}", "Body": body})
                for i, body in enumerate(start.given)
            ]
        )

    def _canceller(self, start: Start, tape: Tape) -> None:
        """Cancel a call, if its row is there."""
        pipeline = self.pipeline(tape, start.name)
        ledger = cast("LedgerTable", pipeline.ledger)
        row = ledger.get(start.given[0])
        if row is not None:
            ledger.cancel(row.id, opened_at=row.opened_at, now=pipeline.clock(), note=start.name)


class _Lines:
    """Where a caller's capture lines go."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def append(self, line: str) -> None:
        self._tape.ask("line", "", line)


def request_of(number: int) -> Any:
    """Return the call of a number, which has a key."""
    return call(json.dumps({"order": number}).encode(), function=ORDERS, key=f"key-{number}")


def _wait(message_id: str, again: list[str], waits_s: dict[str, float]) -> float | None:
    return waits_s.get(message_id, 0.0) if message_id in again else None
