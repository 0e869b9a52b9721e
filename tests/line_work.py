"""Put forged lines through the unpacker and the replayer, and count what is invoked: `make forge`.

    python tests/line_work.py --lines 1000000 --seed 1

Genuine lines are among them, so that a pipeline that refuses everything does not pass.
"""

# ruff: noqa: T201 - its output is the point

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import batched
from random import Random
from typing import TYPE_CHECKING, Final

import line_judge as judge
from doubles import FakeKeys
from forged_lines import REPEATS, Document, Drawn, Forger
from forgeries import FORGERIES
from harness import Pipeline, envelope, notification
from reprise.capturing.signature import MacKeys
from reprise.ports import OutMessage

if TYPE_CHECKING:
    from collections.abc import Callable

GENUINE: Final = 0.01
REPEATED: Final = 0.02
QUEUED: Final = 0.1
"""Share of forgeries that are put into the replay queue as well, past the unpacker."""
LINES_ONLY: Final = frozenset({"another account or log group", "id of another's call"})
"""Signed by who may have the target invoked: it is the unpacker that refuses these."""
BATCH: Final = 2000
"""Lines of one pipeline; half of them in a second object, when calls of the first have ended."""


def make_pipeline() -> Pipeline:
    """Return a pipeline that holds the judge's keys."""

    def keys(source: str, *names: str, targets: tuple[str, ...]) -> MacKeys:
        prefix = f"{source}/" if source else ""
        held = {name: judge.CURRENT[prefix + name] for name in names}
        return MacKeys(source, names[0], held, targets)

    keyring = FakeKeys(
        keys("pipeline", "k1", targets=("arn:aws:batch:*",)),
        (
            keys("invoker", "k2", "k1", targets=("*",)),
            keys("shop", "k1", targets=(judge.MAIL,)),
            keys("operator", "k1", targets=("*",)),
            keys("", "k1", targets=("arn:*",)),
        ),
    )
    return Pipeline(keys=keyring)


@dataclass(slots=True)
class Tally:
    """What was put, and what came of it."""

    put: Counter[str] = field(default_factory=Counter)
    queued: int = 0
    """Forgeries of these that were put into the replay queue as well."""
    quarantined: Counter[str] = field(default_factory=Counter)
    genuine: int = 0
    invoked: int = 0
    """Executions of genuine calls; each must run once."""
    forged: list[str] = field(default_factory=list)
    """What was invoked or sent for replay, and should not have been."""


@dataclass(slots=True)
class Gauntlet:
    """One pipeline, and the lines that it is given."""

    random: Random
    tally: Tally
    pipeline: Pipeline = field(default_factory=make_pipeline)
    forger: Forger = field(init=False)

    def __post_init__(self) -> None:
        """Begin with one genuine line to forge from."""
        self.forger = Forger(self.random)

    def run(self, lines: int) -> None:
        """Put lines in two objects, and judge all that is sent for replay and all that is invoked."""
        for number in range(2):
            drawn = [self.forger.put(), *(self.draw() for _ in range(lines // 2 - 1))]
            self.tally.put.update(each.kind for each in drawn)
            self.take_in(f"captured/{number}", drawn)
        self.tally.genuine += len(self.forger.genuine)
        self._judge_invoked()
        for key, data in self.pipeline.objects.kept.items():
            if key.startswith("quarantine/"):
                found = [json.loads(line) for line in data.splitlines()]
                for each in found:
                    self.tally.quarantined[each["reason"]] += each.get("left_out", 1)

    def draw(self) -> Drawn:
        """Return a line of any kind."""
        chance = self.random.random()
        if chance < GENUINE:
            return self.forger.put()
        kinds = REPEATS if chance < GENUINE + REPEATED else FORGERIES
        kind = self.random.choice(list(kinds))
        drawn = kinds[kind](self.forger)
        if isinstance(drawn, Drawn):
            return Drawn(kind=kind, line=drawn.line, owner=drawn.owner, log_group=drawn.log_group)
        return Drawn(kind=kind, line=drawn)

    def take_in(self, key: str, drawn: list[Drawn]) -> None:
        """Unpack an object of lines, and replay until nothing is left."""
        by_place: dict[tuple[str, str], list[str]] = {}
        for each in drawn:
            by_place.setdefault((each.owner, each.log_group), []).append(each.line)
        self._replay([message for each in drawn for message in self._put_into_queue(each)])
        self.pipeline.objects.kept[key] = b"".join(
            envelope(*lines, owner=owner, log_group=group)
            for (owner, group), lines in by_place.items()
        )
        bodies = [notification(key)]
        while bodies:
            again = self.pipeline.take_in(*bodies)
            assert again == [], "an object was not unpacked"
            self._replay(self._sent())
            bodies = [message.body for message in self.pipeline.capture_queue.sent]
            self.pipeline.capture_queue.sent.clear()
            self.pipeline.clock.advance(1)

    def _put_into_queue(self, drawn: Drawn) -> list[OutMessage]:
        """Return a forged line as a message of the replay queue, one in ten."""
        is_lines_only = drawn.kind not in FORGERIES or drawn.kind in LINES_ONLY
        if is_lines_only or self.random.random() >= QUEUED:
            return []
        self.tally.queued += 1
        return [OutMessage(body=f'{{"record":{drawn.line}}}')]

    def _replay(self, messages: list[OutMessage]) -> None:
        """Replay until no message waits; each batch is a worker of its own."""
        for looks in range(100):
            waiting: list[OutMessage] = []
            for number, some in enumerate(batched(messages, 10)):
                again = self.pipeline.replay(*some, owner=f"{looks}.{number}")
                waiting += (some[int(name[1:])] for name in again)
            messages = waiting + self._sent()
            if not messages:
                return
            self.pipeline.clock.advance(30)
        msg = "a genuine call waits"
        raise AssertionError(msg)

    def _sent(self) -> list[OutMessage]:
        signed = {judge.spelled(record) for record in self.forger.genuine}
        sent = self.pipeline.take_sent()
        for message in sent:
            record = json.loads(message.body)["record"]
            why = judge.objection(record)
            if why is None and judge.spelled(record) not in signed:
                why = "nobody put it here"
            if why is not None:
                self.tally.forged.append(f"sent for replay: {why}: {message.body}")
        return sent

    def _judge_invoked(self) -> None:
        due = Counter(_effect(record) for record in self.forger.genuine)
        done = Counter(
            (target.function, payload.decode(), context)
            for target, payload, context in self.pipeline.functions.invoked
        )
        self.tally.invoked += sum((done & due).values())
        self.tally.forged += [f"invoked: {effect}" for effect in (done - due).elements()]


def _effect(record: Document) -> tuple[str, str, str | None]:
    return record["target"]["function"], record["payload"]["inline"], record["client_context"]


def run(lines: int, seed: int, tell: Callable[[int], object] = lambda _: None) -> Tally:
    """Put so many lines through pipelines of `BATCH` lines each, and return what came of them."""
    tally, random = Tally(), Random(seed)
    while tally.put.total() < lines:
        Gauntlet(random, tally).run(min(BATCH, lines))
        tell(tally.put.total())
    return tally


def main() -> None:
    """Run, and print rate and counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    logging.disable()
    begun_at = time.monotonic()
    tally = run(chosen.lines, chosen.seed, lambda done: print(f"\r{done:,}", end="", flush=True))
    took_s = time.monotonic() - begun_at
    total = tally.put.total()
    print(
        f"\r{total:,} lines in {took_s:.0f} s, {total / took_s:,.0f} a second, seed {chosen.seed}"
    )
    print(f"{tally.queued:,} of the forged ones were put straight into the replay queue as well")
    for title, counts in (("put", tally.put), ("quarantined", tally.quarantined)):
        print(
            f"{title}:",
            *(f"  {count:>9,}  {name}" for name, count in counts.most_common()),
            sep="\n",
        )
    print(f"genuine calls {tally.genuine:,}, executed {tally.invoked:,}")
    print(f"forged ones sent for replay or executed: {len(tally.forged):,}")
    print(*tally.forged[:10], sep="\n")
    raise SystemExit(bool(tally.forged) or tally.invoked != tally.genuine)


if __name__ == "__main__":
    main()
