"""Where the reader's time goes: each stage alone, on what the stage before gives it."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from reader_bench.pipelines import inflate_alone, members_of, naive, ours
from reprise.logreader import LogEvent
from reprise.logreader.envelope import decode
from reprise_cli.capture_line import DECODER, is_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def stages(data: bytes, records: int, rounds: int) -> None:
    """Print each stage's CPU time per valid record, and its share of the whole."""
    texts = list(members_of(data))
    events = [item for text in texts for item in decode(text) if type(item) is LogEvent]
    whole = [event.message for event in events if event.message.startswith('{"reprise"')]
    lines = [message for message in whole if message.endswith("}")]
    found = [DECODER.decode(line) for line in lines]
    ways: dict[str, Callable[[], object]] = {
        "all: ours": lambda: ours(data),
        "inflating, ISA-L": lambda: inflate_alone(data),
        "envelopes, orjson, escapes undone": lambda: _each(decode, texts),
        "messages, msgspec, payload left as it is": lambda: _each(DECODER.decode, lines),
        "offsets and payload's way, Python": lambda: _each(is_sound, found),
        "naive, for the ratios": lambda: naive(data),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started_s = time.process_time()
            way()
            spent[name].append(time.process_time() - started_s)
    escapes = sum(text.count(b"\\") for text in texts) / records
    print(f"\nwhere our time goes; {escapes:.0f} backslashes per record; median of {rounds} rounds")
    total, *parts, base = (statistics.median(times) for times in spent.values())
    for name, part in zip([*ways][1:-1], parts, strict=True):
        print(f"{name:44} {part / records * 1e6:8.2f} us {part / total:6.2f}")
    rest = total - sum(parts)
    print(
        f"{'the rest: splitting, handing on, loops':44} {rest / records * 1e6:8.2f} us {rest / total:6.2f}"
    )
    least = sum(parts[:3])
    print(
        f"naive against the three libraries alone, without a line of Python: {base / least:.2f}; "
        f"inflating against them: {parts[0] / least:.2f}"
    )


def _each(read: Callable[..., object], inputs: Iterable[object]) -> None:
    for each in inputs:
        read(each)
