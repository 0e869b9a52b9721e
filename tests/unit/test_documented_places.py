"""The pages of where data is kept and of what callers may do say what the templates and the command say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from reprise_cli.cost.bill import bill
from reprise_cli.cost.prices import Sku
from reprise_cli.cost.rest import rest_uses
from reprise_cli.sources.document import statements
from reprise_cli.stack import Stack
from reprise_reference.templates import read

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
TEMPLATES: Final = {
    path.relative_to(ROOT).as_posix(): read(path.relative_to(ROOT).as_posix())
    for path in (*ROOT.glob("infra/*.yaml"), *ROOT.glob("addons/*/template.yaml"))
}
DAY_S: Final = 86_400


def section(page: str, title: str) -> str:
    text = (ROOT / page).read_text()
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def places() -> list[list[str]]:
    """Return the table's rows: place, what it holds, by what it is encrypted, how long, with the stack."""
    text = section("docs/reference/where-data-goes.md", "How long, and encrypted by what")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def told_of(kind: str, name: str) -> tuple[str, str, str]:
    """Return encryption, time and fate of a place; where a row has two, what it says of this one."""
    for row in places():
        its_names = [each for each in re.findall(r"`([^`]+)`", row[0]) if "<stack>" in each]
        if kind in row[0] and name in its_names:
            cells = [cell.split(", ") for cell in row[2:]]
            at = its_names.index(name)
            encrypted, kept, fate = (each[min(at, len(each) - 1)] for each in cells)
            return encrypted, kept, fate
    pytest.fail(f"{kind} {name} is in no row")


def resources(kind: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each, and what its template's own stack is called."""
    for path, template in TEMPLATES.items():
        addon = path.split("/")[1]
        own = f"<stack>-{addon}" if path.startswith("addons/") else "<stack>"
        for resource in template["Resources"].values():
            if resource["Type"] == kind:
                yield resource, own


def named(pattern: str, own: str) -> str:
    for variable, value in {
        "AWS::StackName": own,
        "RootStack": "<stack>",
        "Name": "<stack>",
    }.items():
        pattern = pattern.replace(f"${{{variable}}}", value)
    return pattern


def fate_of(resource: dict[str, Any]) -> str:
    return "deleted" if resource["DeletionPolicy"] == "Delete" else "**kept**"


QUEUES: Final = [
    pytest.param(
        resource,
        named(resource["Properties"]["QueueName"], own),
        id=named(resource["Properties"]["QueueName"], own),
    )
    for resource, own in resources("AWS::SQS::Queue")
]


@pytest.mark.parametrize(("queue", "name"), QUEUES)
def test_every_queue_is_told_with_its_time_and_its_fate(queue: dict[str, Any], name: str) -> None:
    encrypted, kept, fate = told_of("queue", name)
    properties = queue["Properties"]
    assert properties["SqsManagedSseEnabled"] == ["HasKey", "AWS::NoValue", True]
    assert encrypted == "SQS's keys (SSE-SQS)"
    assert kept.startswith(f"{properties['MessageRetentionPeriod'] // DAY_S} days")
    assert fate == fate_of(queue)


def test_every_prefix_of_the_bucket_is_told_with_the_time_that_its_rule_gives_it() -> None:
    bucket = TEMPLATES["infra/capture.yaml"]["Resources"]["Bucket"]
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Prefix"] for rule in rules if "Prefix" in rule}
    told = {
        prefix: row
        for row in places()
        if row[0].startswith("bucket, ")
        for prefix in re.findall(r"`([^`]+/)`", row[0])
    }
    policies = " ".join(str(template) for template in TEMPLATES.values())
    used = set(re.findall(r"\$\{Bucket(?:Name|\.Arn)?\}/([a-z-]+/)\*", policies))
    assert set(told) == expiring | used
    assert {
        prefix for prefix, row in told.items() if row[3].startswith("`RetentionDays`")
    } == expiring
    assert {row[2] for row in told.values()} == {"S3's keys (SSE-S3)"}
    assert {row[4] for row in told.values()} == {fate_of(bucket)}


def test_the_ledger_is_told_as_kept() -> None:
    ledger = TEMPLATES["infra/replay.yaml"]["Resources"]["Ledger"]
    encrypted, kept, fate = told_of("table", "<stack>-ledger")
    assert ledger["Properties"]["SSESpecification"][2] == "AWS::NoValue"
    assert encrypted == "DynamoDB's own key"
    assert kept.startswith("`RetentionDays`")
    assert fate == fate_of(ledger)


def test_the_page_of_a_callers_rights_has_all_that_the_command_gives() -> None:
    outputs = dict.fromkeys(Stack.__dataclass_fields__, "x")
    stack = Stack(**outputs)
    given = statements("arn:aws:secretsmanager:r:a:secret:x", stack, "key", has_keys=True)
    actions = {
        action
        for each in given
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    text = section("docs/reference/environment.md", "What a caller's role needs")
    assert actions <= set(re.findall(r"`([a-z0-9]+:[A-Z][A-Za-z]+)`", text))


@pytest.mark.parametrize("page", ["README.md", "docs/faq.md", "docs/tutorial/on-an-account.md"])
def test_every_page_names_the_same_sum_at_rest(page: str) -> None:
    usual = [use for use in rest_uses(1) if use.sku is not Sku.DASHBOARD_MONTH]
    assert f"{bill(usual).usd:.2f} USD a month" in (ROOT / page).read_text()
