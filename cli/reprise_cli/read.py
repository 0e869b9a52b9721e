"""`reprise read`: print what capture objects hold, or count it; anyone's CloudWatch Logs objects."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from reprise.logreader import LogEvent, UnknownLine
from reprise.printable import printable_json
from reprise_cli.exits import ExitCode, UsageError
from reprise_cli.read_format import Reading
from reprise_cli.read_quarantine import quarantine_in
from reprise_cli.read_source import ReadSource, open_source
from reprise_cli.read_tally import ReadTally, event_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from reprise.logreader import Item
    from reprise_cli.app import App
    from reprise_cli.output import Output

_LONG_BYTES: Final = 16 * 1024 * 1024
_MEBIBYTE: Final = 1024 * 1024
_CLOSED_PIPE: Final = 128 + 13
"""What shells report of a program that SIGPIPE ended."""


def read(
    context: typer.Context,
    objects: Annotated[
        list[str], typer.Argument(metavar="OBJECT...", help="Files, s3:// URLs, or - for stdin.")
    ],
    *,
    stats: Annotated[bool, typer.Option("--stats", help="Count; print no records.")] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Print every log event, of any schema.")
    ] = False,
    quarantine: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep what cannot be read here.")
    ] = None,
) -> None:
    """Read capture objects: records as JSON lines, whatever their layers, glue and damage.

    Nothing is authenticated: that takes the stack's key. Exit code 5: not all of it could be read.
    """
    if stats and events:
        step = "Leave one of them out"
        raise UsageError("--stats", "prints no events", step)
    app: App = context.obj
    keep_large_buffers_apart()
    write = (lambda _: None) if stats else _line_writer()
    show = _event_line if events else _record_line
    tallies: list[ReadTally] = []
    try:
        for name in objects:
            with open_source(name, lambda: app.aws.s3) as source:
                tally = _read_one(source, app.out, quarantine, lambda *found: write(show(*found)))
            tallies.append(tally)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain when it flushes, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(_CLOSED_PIPE) from None
    if stats:
        report(app.out, tallies)
    else:
        for tally in tallies:
            if not tally.is_sound:
                app.out.warn(f"{tally.name}: {_summary(tally)}; see --stats and --quarantine")
    if not all(tally.is_sound for tally in tallies):
        raise typer.Exit(ExitCode.DAMAGED)


def _read_one(
    source: ReadSource, out: Output, folder: Path | None, show: Callable[[Item, str | None], None]
) -> ReadTally:
    tally = ReadTally(name=source.name)
    keep = None if folder is None else quarantine_in(folder, source.name)
    with _progress(out, source) as advance:
        reading = Reading(_counted(source.chunks, advance), tally.account)
        tally.compression = reading.compression
        for position, item in enumerate(reading.items()):
            show(item, tally.take(position, item, keep))
    if keep is not None:
        keep.flush()
    return tally


def _progress(out: Output, source: ReadSource) -> AbstractContextManager[Callable[[int], None]]:
    """Return a bar for long input, on a terminal only."""
    is_long = source.size_bytes is None or source.size_bytes >= _LONG_BYTES
    if not is_long or not out.notes.is_terminal:
        return nullcontext(lambda _: None)
    total = None if source.size_bytes is None else -(-source.size_bytes // _MEBIBYTE)
    return out.progress(f"reading {source.name}, MiB", total)


def _counted(chunks: Iterator[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        advance(1)


def _record_line(item: Item, record: str | None) -> str | None:
    """Return a record as it was logged; one that was logged in several lines is joined."""
    del item
    if record is None or "\n" not in record:
        return record
    return json.dumps(json.loads(record), separators=(",", ":"))


def _event_line(item: Item, record: str | None) -> str | None:
    del record
    if not isinstance(item, LogEvent | UnknownLine):
        return None
    fields = event_fields(item)
    try:
        return msgspec.json.encode(fields).decode()
    except UnicodeEncodeError:
        return json.dumps(fields)


def _line_writer() -> Callable[[str | None], None]:
    write = sys.stdout.buffer.write

    def write_line(line: str | None) -> None:
        if line is not None:
            # Whoever wrote the line, it may be read on a terminal.
            write(printable_json(line).encode() + b"\n")

    return write_line


def _summary(tally: ReadTally) -> str:
    parts = []
    if tally.account.damages:
        parts.append(f"{tally.account.damages} damaged stretches")
    if tally.invalid:
        parts.append(f"{tally.invalid} invalid records")
    return " and ".join(parts)


def report(out: Output, tallies: list[ReadTally]) -> None:
    """Print the counts: a table an object for people, one JSON object for programs."""
    documents = [tally.document() for tally in tallies]
    for document in documents:
        out.show(_table(document))
    numbers = [name for name, value in documents[0].items() if type(value) is int]
    total: dict[str, Any] = {name: sum(each[name] for each in documents) for name in numbers}
    total["layers"] = max(each["layers"] for each in documents)
    total["is_complete"] = all(each["is_complete"] for each in documents)
    if len(documents) > 1:
        out.show(_table({"object": f"all {len(documents)} objects"} | total))
    out.result({"objects": documents, "total": total})


_LABELS: Final = {
    "records": "records",
    "invalid_records": "invalid records",
    "foreign_lines": "foreign lines",
    "control_messages": "control messages",
    "events": "log events in envelopes",
    "messages_without_envelope": "messages without envelope",
    "members": "gzip members",
    "layers": "gzip layers",
    "damage": "damage",
    "damaged_bytes": "bytes damaged",
    "bytes_in": "bytes in",
    "bytes_accounted": "bytes accounted for",
}


def _table(document: dict[str, Any]) -> Table:
    table = Table("what", title=document["object"])
    table.add_column("count", justify="right")
    if document.get("compression"):
        table.add_row("compressed as", document["compression"])
    for name, label in _LABELS.items():
        table.add_row(label, f"{document[name]:,}")
    for reason, count in document.get("reasons", {}).items():
        table.add_row(f"  {reason}", f"{count:,}")
    if not document["is_complete"]:
        table.add_row("not all bytes are accounted for: a defect", "")
    return table


_M_MMAP_THRESHOLD: Final = -3
_THRESHOLD_BYTES: Final = 512 * 1024


def keep_large_buffers_apart() -> None:
    """Keep the peak memory of a read down where glibc would let it grow; on other C libraries do nothing.

    glibc learns from freed buffers to take the next ones from its heap, where a buffer that grows is copied
    and leaves a hole. With the threshold held fixed large buffers stay outside, grow in place, and go back
    at once (mallopt(3), M_MMAP_THRESHOLD).
    """
    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _THRESHOLD_BYTES)
    except (OSError, AttributeError, TypeError):
        return
