"""What holds for every line, one at a time; shared by the fuzzer and the replay of its corpus."""

from __future__ import annotations

import contextlib
import json
from random import Random
from typing import TYPE_CHECKING, Any

import line_judge as judge
from forged_lines import ELSEWHERE, REPEATS, Document, Drawn, Forger, compact
from forgeries import FORGERIES
from harness import envelope, notification
from line_work import make_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable


def check(data: bytes) -> None:
    """Put one text as a line, and fail if anything is replayed that no holder of a right has signed."""
    pipeline = make_pipeline()
    pipeline.objects.kept["captured/x"] = envelope(data.decode("utf-8", "replace"))
    assert pipeline.take_in(notification("captured/x")) == []
    for message in pipeline.take_sent():
        assert judge.objection(json.loads(message.body)["record"]) is None, message.body


def mutate(data: bytes, max_size: int, seed: int, mutate_bytes: Callable[..., bytes]) -> bytes:
    """Change a line as a forger would, and sign it anew with some key, which chance alone never does."""
    random = Random(seed)
    with contextlib.suppress(
        ValueError, KeyError, TypeError, IndexError, RecursionError, AttributeError
    ):
        forger = Forger(random, [json.loads(data)])
        match random.randrange(4):
            case 0:
                drawn = FORGERIES[random.choice(list(FORGERIES))](forger)
                line = drawn.line if isinstance(drawn, Drawn) else drawn
            case 1:
                line = compact(_signed_anyhow(forger, random))
            case 2:
                line = str(REPEATS["again in another spelling"](forger))
            case _:
                return bytes(mutate_bytes(data, max_size))
        return line.encode("utf-8", "surrogatepass")[:max_size]
    return bytes(mutate_bytes(data, max_size))


def _signed_anyhow(forger: Forger, random: Random) -> Document:
    record: Any = forger.one()
    if random.random() < 0.5:
        record["target"]["function"] = random.choice([judge.ORDERS, judge.MAIL, *ELSEWHERE])
    if random.random() < 0.5:
        record["source"]["name"] = random.choice(["invoker", "shop", "operator", "runner"])
    held = judge.CURRENT | judge.RETIRED
    said, by = random.choice(list(held)), random.choice(list(held))
    return judge.sign(record, random.choice([said, by]), held[by])
