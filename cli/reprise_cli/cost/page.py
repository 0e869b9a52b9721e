"""Write docs/reference/cost.md: `python -m reprise_cli.cost > docs/reference/cost.md`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reprise_cli.cost import page_text
from reprise_cli.cost.bill import bill
from reprise_cli.cost.calls import INVOKER, call_uses, letter_uses, redrive_uses, return_uses
from reprise_cli.cost.limits import capture_limits, replay_limits, stores, write_units_of_a_call
from reprise_cli.cost.measured import INLINE_PAYLOAD_BYTES
from reprise_cli.cost.outage import outage_uses
from reprise_cli.cost.prices import MILLION, PRICES, Sku
from reprise_cli.cost.rest import rest_uses
from reprise_cli.cost.scenario import Scenario
from reprise_cli.cost.view import grid, money

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from reprise_cli.cost.bill import Bill
    from reprise_cli.cost.limits import Limit

USUAL: Final = Scenario()
PAYLOADS: Final = (0, 1_000, 10_000, 50_000, INLINE_PAYLOAD_BYTES, INLINE_PAYLOAD_BYTES + 1)
REPLIES: Final = (50, 200, 2_048, 2_049)
OUTAGES: Final = ((10_000, 600), (100_000, 3_600), (1_000_000, 10_800), (10_000_000, 86_400))


def page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield page_text.HEAD
    yield from _calls()
    yield from _outages()
    yield "\n## A month at rest\n"
    rest = bill(rest_uses(USUAL.targets))
    yield from _grid(rest)
    yield page_text.REST.format(usual=money(_without(rest, {Sku.DASHBOARD_MONTH})))
    yield from _limits()
    yield page_text.BATCHING.format(units=write_units_of_a_call(USUAL))
    yield from _prices()
    yield page_text.ASSUMED


def _calls() -> Iterator[str]:
    yield "\n## A million captured calls\n"
    yield "USD, by station and service; payload of 1,000 bytes, reply of 200, replayed once.\n"
    yield from _grid(bill(call_uses(USUAL, MILLION)))
    yield "\nWhat moves it, everything else as above:\n"
    rows = [[f"payload {n:,} bytes", _million(payload_bytes=n)] for n in PAYLOADS]
    rows += [[f"reply {n:,} bytes", _million(reply_bytes=n)] for n in REPLIES]
    rows += [[f"memory {n:,} MB", _million(memory_mb=n)] for n in (512, 1_769, 3_008)]
    rows += [[f"a target of {n:g} s", _million(target_s=float(n))] for n in (1, 10)]
    beside = {
        "a million failed attempts more": return_uses(replace(USUAL, failures=1.0), MILLION),
        "a million dead letters, in place of their replay": letter_uses(USUAL, MILLION),
        "a million letters redriven, before their replay": redrive_uses(USUAL, MILLION),
    }
    rows += [[name, money(bill(uses).usd)] for name, uses in beside.items()]
    usual = bill(call_uses(USUAL, MILLION))
    by_itself = money(_without(usual, {Sku.LAMBDA_REQUEST, Sku.LAMBDA_GB_S}, INVOKER))
    rows.insert(0, ["by endpoint, plugin or library: no invoker runs", by_itself])
    yield from _table(["", "USD a million"], rows)
    yield page_text.CALLS


def _outages() -> Iterator[str]:
    yield "\n## An outage\n"
    yield "100,000 calls in one hour, all refused by one target: captured, held, and replayed.\n"
    yield from _grid(bill(outage_uses(USUAL)))
    yield "\nOthers:\n"
    rows = []
    for calls, outage_s in OUTAGES:
        found = bill(outage_uses(replace(USUAL, calls=calls, outage_s=float(outage_s))))
        stations = found.by_station()
        waiting = stations["looks"] + stations["probes"]
        rows.append([f"{calls:,}", f"{outage_s / 3600:.2g} h", money(waiting), money(found.usd)])
    yield from _table(["calls", "lasting", "looks and probes", "USD"], rows)
    yield page_text.OUTAGE


def _limits() -> Iterator[str]:
    yield page_text.LIMITS
    for title, limits in (
        ("Capturing", capture_limits(USUAL)),
        ("The way back", replay_limits(USUAL)),
        ("What may be there", stores()),
    ):
        yield f"\n### {title}\n"
        head = ["limit", "quota", "calls/s", "source", "beyond it"]
        yield from _table(head, [_limit(limit) for limit in limits])
    yield page_text.FIRST


def _limit(limit: Limit) -> list[str]:
    rate = "" if limit.calls_per_s is None else f"{limit.calls_per_s:,.0f}"
    source = limit.source if limit.checked else f"{limit.source}; **not checked**"
    return [limit.what, limit.quota, rate, source, limit.beyond]


def _prices() -> Iterator[str]:
    yield page_text.PRICES
    rows = [
        [
            sku.value,
            f"{price.usd:g}",
            f"{price.per:,}",
            price.as_of,
            "yes" if price.checked else "**no**",
        ]
        for sku, price in PRICES.items()
    ]
    yield from _table(["unit", "USD", "for", "list of", "checked"], rows)


def _million(**changes: float) -> str:
    # replace() builds the scenario anew, and so checks it.
    return money(bill(call_uses(replace(USUAL, **changes), MILLION)).usd)  # type: ignore[arg-type]


def _without(found: Bill, skus: Container[Sku], station: str | None = None) -> float:
    """Return the total without what is billed so, at a station or at all."""
    left = (
        use for use in found.uses if use.sku not in skus or use.station != (station or use.station)
    )
    return bill(left).usd


def _grid(found: Bill) -> Iterator[str]:
    head, rows = grid(found)
    yield from _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield "|" + "---|" * len(head)
    for row in rows:
        yield _row(row)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
