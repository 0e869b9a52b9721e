"""What the doctor says, held to the pages, the templates, and the commands that it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest
from botocore import xform_name

from reprise import __version__
from reprise_cli.doctor.check import CheckStatus
from reprise_cli.doctor.checks import CHECKS
from reprise_cli.doctor.checks.capture import PATTERN, PREFIX
from reprise_cli.doctor.checks.operator import ZERO_METRICS
from reprise_cli.doctor.reading.reader import METRICS
from reprise_cli.doctor.traps import TRAPS, find_trap
from reprise_cli.doctor.undecided import ROWS
from reprise_cli.main import COMMANDS
from unit.cli.doctor.healthy import facts, run
from unit.cli.doctor.sick import SICK

ROOT: Final = Path(__file__).parents[4]
DOCS: Final = ROOT / "docs"
NOT_RUN: Final = (DOCS / "explanation/not-run-on-aws.md").read_text()
FINDINGS: Final = [
    each
    for check, changes, _ in SICK
    for each in run(check, facts(**changes))
    if each.status is CheckStatus.PROBLEM
]
MENDS: Final = sorted({each.mend for each in FINDINGS})


def _rows() -> dict[str, str]:
    """Return the last cell of each row of the page, by its first."""
    cells = [line.strip("|").split(" | ") for line in NOT_RUN.splitlines() if line.startswith("| ")]
    return {row[0].strip(): row[-1] for row in cells if row[0].strip() not in {"point", "---"}}


def test_every_row_of_what_was_not_run_is_looked_at_or_said_to_be_undecided() -> None:
    assert list(ROWS) == list(_rows())
    names = {check.name for check in CHECKS}
    assert {each for checks in ROWS.values() for each in checks} <= names


def test_the_page_says_which_checks_look_at_a_row() -> None:
    for point, cell in _rows().items():
        (said,) = re.findall(r"`reprise doctor`: ([^;|]+)", cell) or [""]
        assert re.findall(r"`([a-z0-9-]+)`", said) == list(ROWS[point]), point


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "page", sorted({each.page for each in FINDINGS} | {check.page for check in CHECKS})
)
def test_the_page_that_a_problem_leads_to_is_there(page: str) -> None:
    name, _, anchor = page.partition("#")
    assert (DOCS / name).is_file()
    assert not anchor or anchor in _headings(DOCS / name)


@pytest.mark.parametrize("mend", [mend for mend in MENDS if "docs/" in mend])
def test_pages_in_mends_are_there(mend: str) -> None:
    for name, anchor in re.findall(r"docs/([\w/-]+\.md)#?([\w-]*)", mend):
        assert not anchor or anchor in _headings(DOCS / name)


@pytest.mark.parametrize("mend", [mend for mend in MENDS if mend.startswith("aws ")])
def test_commands_of_the_aws_cli_name_operations_and_options_that_there_are(mend: str) -> None:
    _, service, operation, *words = shlex.split(mend)
    model = botocore.session.get_session().get_service_model(
        {"s3api": "s3", "cloudwatch": "cloudwatch"}.get(service, service)
    )
    (found,) = [name for name in model.operation_names if xform_name(name, "-") == operation]
    shape: Any = model.operation_model(found).input_shape
    options = {xform_name(member, "-") for member in shape.members}
    assert {word[2:] for word in words if word.startswith("--")} <= options
    required = {xform_name(member, "-") for member in shape.required_members}
    assert required <= {word[2:] for word in words if word.startswith("--")}


@pytest.mark.parametrize("mend", [mend for mend in MENDS if "`reprise " in mend])
def test_commands_of_ours_are_there(mend: str) -> None:
    assert set(re.findall(r"`reprise (\w+)", mend)) <= set(COMMANDS)


def test_the_filter_and_the_prefix_are_those_of_the_template() -> None:
    template = (ROOT / "infra/capture.yaml").read_text()
    assert f"FilterPattern: '{PATTERN}'" in template
    assert f"Prefix: {PREFIX}!{{timestamp" in template


def test_the_stack_says_the_version_of_the_package() -> None:
    template = (ROOT / "template.yaml").read_text()
    (said,) = re.findall(r"^  Version:\n.*\n    Value: (.+)$", template, re.MULTILINE)
    assert said == __version__


def test_each_metric_that_is_read_has_its_words() -> None:
    assert set(METRICS) == set(ZERO_METRICS)


TITLES: Final = re.findall(
    r"^## (.+)$", (DOCS / "howto/first-deployment.md").read_text(), re.MULTILINE
)


@pytest.mark.parametrize(
    "message",
    [
        message
        for title in TITLES
        for message in re.findall(r"`([^`]+)`", title)
        # What the template's own rules say, and what a stack's status is, is no event of a resource.
        if " " in message and not message.startswith(("Targets must", "must be", "is in ROLLBACK"))
    ],
)
def test_a_trap_of_the_first_deployment_is_known_by_its_message(message: str) -> None:
    assert find_trap(f"Resource handler returned message: {message} (Service: X)") is not None


def test_what_is_no_trap_is_none() -> None:
    assert find_trap("Internal failure") is None
    assert len(TRAPS) > 1
