"""Show what it costs, in 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from reprise_cli.cost.bill import bill
from reprise_cli.cost.calls import call_uses
from reprise_cli.cost.outage import outage_uses
from reprise_cli.cost.prices import MILLION, PRICES, REGION
from reprise_cli.cost.rest import rest_uses
from reprise_cli.duration import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from reprise_cli.cost.bill import Bill
    from reprise_cli.cost.scenario import Scenario

SHORT: Final = {
    "CloudWatch Logs": "Logs",
    "CloudWatch": "CloudW.",
    "EventBridge": "Events",
    "Secrets Manager": "Secrets",
}
"""Names of services as heads of columns."""


def money(usd: float) -> str:
    """Return an amount in cents, a large one in dollars."""
    if usd == 0:
        return ""
    if usd >= 100_000:  # noqa: PLR2004 - six digits, and the table would pass 80 columns
        return f"{usd / 1_000:,.0f}k"
    if usd >= 1_000:  # noqa: PLR2004 - where cents are no longer read
        return f"{usd:,.0f}"
    return f"{usd:,.2f}" if usd >= 0.005 else "<0.01"  # noqa: PLR2004 - half a cent


def grid(bill_: Bill) -> tuple[list[str], list[list[str]]]:
    """Return a bill's head and rows: a station a row, a service a column, totals last."""
    services = list(bill_.by_service())
    cells, stations = bill_.cells(), bill_.by_station()
    head = ["station", *(SHORT.get(name, name) for name in services), "USD"]
    rows = [
        [station, *(money(cells.get((station, name), 0.0)) for name in services), money(usd)]
        for station, usd in stations.items()
    ]
    totals = [money(usd) for usd in bill_.by_service().values()]
    return head, [*rows, ["total", *totals, money(bill_.usd)]]


def show_cost(scenario: Scenario) -> list[RenderableType]:
    """Return what is shown of a scenario."""
    million, rest = bill(call_uses(scenario, MILLION)), bill(rest_uses(scenario.targets))
    outage = bill(outage_uses(scenario))
    told = (
        f"payload {scenario.payload_bytes:,} B, reply {scenario.reply_bytes:,} B, "
        f"{scenario.failures:g} failed attempts a call"
    )
    length = format_duration(scenario.outage_s)
    unchecked = sum(not price.checked for price in PRICES.values())
    return [
        _table(f"a million captured calls: {money(million.usd)} USD", million),
        told,
        "",
        _table(f"an outage, {length}, {scenario.calls:,} calls: {money(outage.usd)} USD", outage),
        "",
        _table(f"a month at rest, targets {scenario.targets:,}: {money(rest.usd)} USD", rest),
        "",
        f"List prices of {REGION}, no free tier; {unchecked} of {len(PRICES)} not checked.",
        "Lambda's CPU is assumed. The targets' own runs are not counted.",
        "Nothing here was read from a bill. Prices, limits: docs/reference/cost.md",
    ]


def document(scenario: Scenario) -> dict[str, object]:
    """Return the same for programs, with every use."""
    prices: Mapping[str, object] = {
        sku.value: {
            "usd": price.usd,
            "per": price.per,
            "as_of": price.as_of,
            "checked": price.checked,
        }
        for sku, price in PRICES.items()
    }
    return {
        "region": REGION,
        "million_calls": bill(call_uses(scenario, MILLION)).document(),
        "outage": bill(outage_uses(scenario)).document(),
        "month_at_rest": bill(rest_uses(scenario.targets)).document(),
        "prices": prices,
    }


def _table(title: str, bill_: Bill) -> Table:
    head, rows = grid(bill_)
    table = Table(title=title, title_justify="left", padding=(0, 1, 0, 0), box=None)
    table.add_column(head[0], no_wrap=True)
    for name in head[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows[:-1]:
        table.add_row(*row)
    table.add_section()
    table.add_row(*rows[-1], style="bold")
    return table
