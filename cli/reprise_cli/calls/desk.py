"""Look calls up in one stack."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reprise.aws.counters_table import CountersTable
from reprise.aws.fault import store_errors
from reprise.aws.ledger_rows import from_item
from reprise.aws.s3 import S3Listing, S3Objects
from reprise.instant import parse_instant, utc_now
from reprise.metric import labels, make_labeler
from reprise_cli.calls.finder import CallFinder, first
from reprise_cli.calls.pages import CallPages
from reprise_cli.calls.selection import FoundCall, StateChoice, is_target
from reprise_cli.output import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from reprise_cli.app import App
    from reprise_cli.calls.selection import CallSelection

BACK: Final = timedelta(days=1)
"""How far open calls are looked for, however few the counters know."""


def call_pages(reprise: App, advance: Callable[[int], None] = lambda _: None) -> CallPages:
    """Return the stack's index."""
    bucket = reprise.stack.bucket
    return CallPages(
        objects=S3Objects(reprise.aws.s3, bucket),
        listing=S3Listing(reprise.aws.s3, bucket),
        bucket=bucket,
        advance=advance,
    )


def find_calls(
    reprise: App, wanted: CallSelection, limit: int, *, is_scan: bool = False
) -> list[FoundCall]:
    """Return the calls that are meant, the youngest first, at most so many; say what was not looked at."""
    known = _known_open(reprise, wanted)
    now = utc_now()
    finder = CallFinder(
        rows=reprise.ledger,
        is_enough=lambda count, at: known is not None and count >= known and now - at > BACK,
    )
    with reprise.out.progress("looking through calls") as advance:
        if is_scan:
            calls = _scanned(reprise, wanted, advance)
        else:
            pages = call_pages(reprise, advance)
            calls = finder.find(pages.calls(wanted.since, wanted.until), wanted)
        found, is_more = first(calls, limit)
    if is_more:
        reprise.out.note(f"the youngest {limit:,}: there are more (--limit)")
    elif not is_scan and known is not None and finder.open_seen < known:
        reprise.out.note(
            f"the counters know {counted(known, 'open call')}, and the index {finder.open_seen:,}: "
            "others are older than it; `--scan` reads the whole ledger"
        )
    return found


def _known_open(reprise: App, wanted: CallSelection) -> int | None:
    """Return how many open calls the counters know; None if that is not what is asked for."""
    if wanted.state is not StateChoice.OPEN or wanted.since or wanted.until or wanted.key:
        return None
    targets = reprise.stack.targets
    asked = labels(targets)
    if wanted.target is not None:
        label = make_labeler(targets)
        named = [arn for arn in targets if is_target(arn, wanted.target)]
        # One that a pattern allows shares its counter with others.
        asked = tuple(label(arn) for arn in named) or asked
    books = CountersTable(reprise.aws.dynamodb, reprise.stack.ledger_table).read(asked)
    return sum(book.backlog for book in books.values())


def _scanned(
    reprise: App, wanted: CallSelection, advance: Callable[[int], None]
) -> Iterator[FoundCall]:
    """Yield the calls that are meant by reading the whole ledger."""
    found: list[FoundCall] = []
    items, units = 0, 0.0
    pages = reprise.aws.dynamodb.get_paginator("scan").paginate(
        TableName=reprise.stack.ledger_table, ReturnConsumedCapacity="TOTAL"
    )
    with store_errors("dynamodb", "Scan"):
        for page in pages:
            items += page["Count"]
            units += float(page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))
            advance(1)
            # Other items of the table are no calls.
            rows = [from_item(item) for item in page["Items"] if {"state", "sha256"} <= set(item)]
            found += [
                call
                for row in rows
                # A live call's claim is no captured call.
                if not (row.is_live and row.unpacked_at is None)
                if wanted.takes(call := FoundCall(row=row)) and _is_between(row.captured_at, wanted)
            ]
    reprise.out.note(f"read the whole ledger: {items:,} items, {units:,.1f} read units")
    found.sort(key=lambda call: parse_instant(call.row.captured_at), reverse=True)
    yield from found


def _is_between(captured_at: str, wanted: CallSelection) -> bool:
    at: datetime = parse_instant(captured_at)
    return (wanted.since is None or wanted.since <= at) and (
        wanted.until is None or at <= wanted.until
    )
