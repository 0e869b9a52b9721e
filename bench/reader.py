"""Compare the reader with the usual ways to read capture objects, and measure its memory.

Every way reads the same objects, made from a seed, and must find what the generator's manifest says. CPU time
of one process on one core, in interleaved rounds, since the machine is shared; a ratio is the median of the
rounds' own ratios. Memory is the peak of a fresh process of the real command.

    make bench            or            .tools/bench/bin/python bench/reader.py [--quick]
"""

from __future__ import annotations

import argparse
import base64
import gzip
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "cli")]

from reader_bench.generator import Generator, Manifest, repeat_to
from reader_bench.pipelines import (
    inflate_alone,
    naive,
    ours,
    powertools,
    whole_at_once,
)
from reader_bench.stages import stages
from reprise_cli.capture_schema import CaptureLine

if TYPE_CHECKING:
    from collections.abc import Callable

MEBIBYTE = 1024 * 1024
LAUNCHER = """
import os, sys
command = [sys.argv[1], "read", "--stats", "--json", sys.argv[2]]
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
_, _, usage = os.wait4(os.posix_spawn(command[0], command, os.environ, file_actions=quiet), 0)
print(usage.ru_maxrss, usage.ru_utime + usage.ru_stime)
"""


def cpu_s(read: Callable[[], object]) -> float:
    """Return the CPU time that a reading takes."""
    started_s = time.process_time()
    read()
    return time.process_time() - started_s


def check(name: str, found: Manifest, expected: Manifest) -> None:
    """Stop if a way to read found anything else than there is."""
    if found != expected:
        sys.exit(f"error: {name} found {found}, not {expected}")


def compare(
    title: str,
    base: tuple[str, Callable[[], object]],
    ways: dict[str, Callable[[], object]],
    rounds: int,
) -> None:
    """Print the CPU time of each way, and how many times that of ours it is."""
    rows: dict[str, list[float]] = {name: [] for name in ways}
    ours_s: list[float] = []
    for _ in range(rounds):
        ours_s.append(cpu_s(base[1]))
        for name, way in ways.items():
            rows[name].append(cpu_s(way))
    print(f"\n{title}; median of {rounds} interleaved rounds")
    print(f"{base[0]:44} {statistics.median(ours_s):8.2f} s   1.00")
    for name, found_s in rows.items():
        ratio = statistics.median(a / b for a, b in zip(found_s, ours_s, strict=True))
        print(f"{name:44} {statistics.median(found_s):8.2f} s {ratio:6.2f}")


def speed(size_bytes: int, rounds: int) -> None:
    """Compare with the naive reader, Powertools and inflating alone."""
    pool = Generator().members(300)
    chosen = list(repeat_to(pool, size_bytes))
    data = b"".join(member for member, _ in chosen)
    expected = sum((manifest for _, manifest in chosen), Manifest())
    inflated = inflate_alone(data)
    check("ours", ours(data, counts=True), expected)
    check("the naive reader", naive(data, counts=True), expected)
    print(
        f"object: {len(data) / MEBIBYTE:.1f} MiB, {len(chosen)} members, {expected.valid} valid records, "
        f"inflates {inflated / len(data):.1f} times"
    )
    compare(
        "typed records",
        ("ours: ISA-L, orjson, msgspec", lambda: ours(data)),
        {
            "naive, member by member: zlib, json, pydantic": lambda: naive(data),
            "the same, judging as ours: the contract": lambda: naive(data, model=CaptureLine),
            "inflating alone, ISA-L": lambda: inflate_alone(data),
        },
        rounds,
    )
    compare(
        "typed records and their payload's bytes",
        ("ours: ISA-L, orjson, msgspec", lambda: ours(data, has_payload=True)),
        {
            "naive, member by member: zlib, json, pydantic": lambda: naive(data, has_payload=True),
            "inflating alone, ISA-L": lambda: inflate_alone(data),
        },
        rounds,
    )
    events = [{"awslogs": {"data": base64.b64encode(member).decode()}} for member, _ in chosen]
    lost = expected.valid - powertools(events, counts=True).valid
    compare(
        f"Powertools loses {lost} valid records of this object, being beside bad messages",
        ("ours: ISA-L, orjson, msgspec", lambda: ours(data)),
        {"Powertools' CloudWatchLogsEnvelope": lambda: powertools(events)},
        rounds,
    )
    # So it also gets members without bad messages, where it finds all.
    clean = Generator(seed=7, has_strangers=False).members(300)
    clean_data = b"".join(member for member, _ in clean)
    clean_events = [{"awslogs": {"data": base64.b64encode(member).decode()}} for member, _ in clean]
    clean_expected = sum((manifest for _, manifest in clean), Manifest())
    check("ours", ours(clean_data, counts=True), clean_expected)
    check("Powertools", powertools(clean_events, counts=True), clean_expected)
    compare(
        f"the same without bad messages, {len(clean)} members",
        ("ours: ISA-L, orjson, msgspec", lambda: ours(clean_data)),
        {
            "Powertools' CloudWatchLogsEnvelope": lambda: powertools(clean_events),
            "the same, judging as ours: the contract": lambda: powertools(
                clean_events, model=CaptureLine
            ),
        },
        rounds,
    )
    stages(data, expected.valid, rounds)
    part = [member for member, _ in chosen[: len(chosen) // 8]]
    small = b"".join(part)
    compare(
        f"gzip.decompress at once, {len(small) / MEBIBYTE:.1f} MiB",
        ("ours: ISA-L, orjson, msgspec", lambda: ours(small)),
        {"naive, gzip.decompress of the whole object": lambda: whole_at_once(small)},
        3,
    )


def damage(size_bytes: int, rounds: int) -> None:
    """Compare a damaged object with the same without the members that are damaged."""
    chosen = list(repeat_to(Generator().members(300), size_bytes))
    rand = Random(5)
    hit = set(rand.sample(range(len(chosen)), len(chosen) // 50))
    broken = bytearray()
    for number, (member, _) in enumerate(chosen):
        changed = bytearray(member)
        if number in hit:
            changed[rand.randrange(20, len(member))] ^= 0x5A
        broken += changed
    intact = b"".join(member for number, (member, _) in enumerate(chosen) if number not in hit)
    expected = sum(
        (manifest for number, (_, manifest) in enumerate(chosen) if number not in hit), Manifest()
    )
    check("the damaged object", ours(bytes(broken), counts=True), expected)
    data = bytes(broken)
    compare(
        f"one member in fifty damaged ({len(hit)})",
        ("the intact members alone", lambda: ours(intact)),
        {"all, with the damage": lambda: ours(data)},
        rounds,
    )


def growth(members: int, rounds: int) -> None:
    """Compare ten times as many tiny members with as many."""
    pool = [member for member, _ in Generator(events_per_member=1, fixed_bytes=100).members(200)]
    few = b"".join(pool[number % 200] for number in range(members))
    compare(
        f"{members} tiny members, and ten times as many",
        ("as many", lambda: ours(few)),
        {"ten times as many (must be below 12)": lambda: ours(few * 10)},
        rounds,
    )


def memory(size_bytes: int) -> None:
    """Print the peak memory of the command on large objects."""
    print("\npeak memory of `reprise read --stats`, in a fresh process")
    kinds = {
        "members of CloudWatch Logs' size": 52,
        "members of 1,000 KiB": 5600,
        "members of one event": 1,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, events in kinds.items():
            generator = Generator(events_per_member=events, spread=0.02)
            pool = generator.members(4 if name == "members of 1,000 KiB" else 500)
            path = Path(folder) / "object.gz"
            inflated = 0
            with path.open("wb") as file:
                for member, _ in repeat_to(pool, size_bytes):
                    file.write(member)
                    inflated += int.from_bytes(member[-4:], "little")
            times = inflated / path.stat().st_size
            _peak(f"{name}, {size_bytes // MEBIBYTE} MiB x {times:.1f}", path)
        path.write_bytes(_bomb(pool[0][0]))
        _peak("a bomb of 2 GiB between two members", path)


def _bomb(member: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"a" * MEBIBYTE
    return (
        member + b"".join(deflate.compress(block) for _ in range(2048)) + deflate.flush() + member
    )


def _peak(name: str, path: Path) -> None:
    # A child's peak begins at its parent's, so a small process starts the command.
    command: list[str | Path] = [sys.executable, "-c", LAUNCHER, ROOT / ".venv/bin/reprise", path]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - ours
    peak_kib, cpu = done.stdout.split()
    print(f"{name:44} {int(peak_kib) / 1024:8.0f} MB {float(cpu):6.1f} s CPU")


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description="The reader, in ratios and bytes.")
    parser.add_argument("--quick", action="store_true", help="a quarter of the data")
    is_quick = parser.parse_args().quick
    size_bytes = (4 if is_quick else 16) * MEBIBYTE
    rounds = 5 if is_quick else 7
    print(f"Python {sys.version.split()[0]}, {gzip.__name__} of zlib {zlib.ZLIB_RUNTIME_VERSION}")
    speed(size_bytes, rounds)
    damage(size_bytes, rounds)
    growth(500 if is_quick else 2000, rounds)
    memory((32 if is_quick else 128) * MEBIBYTE)


if __name__ == "__main__":
    main()
