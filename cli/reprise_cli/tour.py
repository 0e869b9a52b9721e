"""A short tour after the demo: where to look at what just happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from reprise_cli.dlq.browser import Browser
from reprise_cli.dlq.view import show_letters
from reprise_cli.story.reader import StoryReader
from reprise_cli.story.view import show_story

if TYPE_CHECKING:
    from reprise_cli.app import App


def take_tour(reprise: App) -> None:
    """Show one call, the dead letters, and the commands that go on from there."""
    out, stack = reprise.out, reprise.stack
    with Browser(reprise.aws.sqs, stack.dead_letter_queue_url) as browser:
        letters = next(browser.letters(), [])
    show_letters(out, letters[:3], "some dead letters: reprise dlq list")
    if letters:
        show_story(out, StoryReader(reprise).read(letters[0].id))
    table = Table("look at", "by", title="where to go from here")
    for what, how in (
        ("one call", f"reprise status {letters[0].id if letters else 'ID'}"),
        ("the targets, live", "reprise top"),
        ("the dashboard, on this machine", "reprise dashboard"),
        ("what was given up", "reprise dlq list"),
        ("the way back, as a rehearsal", "reprise dlq redrive --all --dry-run"),
        ("a call of your own", f"reprise invoke {stack.chaos_target} --payload '{{...}}'"),
        ("the ledger", f"DynamoDB table {stack.ledger_table}"),
        ("the capture lines", f"log group {stack.capture_log_group}"),
        ("the captured calls", f"s3://{stack.bucket}/captured/"),
        ("the policies", f"SSM parameter {stack.policy_parameter}"),
    ):
        table.add_row(what, how)
    out.show(table)
