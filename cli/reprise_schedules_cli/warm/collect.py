"""Collect REPORT lines: from log groups, or from files that somebody has exported."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from reprise.instant import parse_instant
from reprise_cli.exits import UsageError
from reprise_schedules.warm import read_report
from reprise_schedules_cli.warm.shares import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mypy_boto3_logs import CloudWatchLogsClient

_PATTERN: Final = '?"REPORT RequestId" ?"platform.report"'


def from_logs(
    client: CloudWatchLogsClient, function: str, group: str, since: datetime
) -> Iterator[Seen]:
    """Yield what a log group reports of its function since an instant."""
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern=_PATTERN, startTime=int(since.timestamp() * 1000)
    )
    for page in pages:
        for event in page["events"]:
            found = _seen(function, event)
            if found is not None:
                yield found


def from_files(paths: Sequence[Path]) -> Iterator[Seen]:
    """Yield what files report, as `aws logs filter-log-events` writes them; the name is the function's.

    Raises:
        CommandError: If a file is no such file.
    """
    for path in paths:
        try:
            events = json.loads(path.read_text())["events"]
            found = [_seen(path.stem, event) for event in events]
        except OSError as error:
            raise UsageError(
                str(path), f"cannot be read: {error.strerror}", "Name a file"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                str(path),
                f"is no output of `aws logs filter-log-events`: {error}",
                "Export with --output json, one file a function, named after it",
            ) from error
        yield from (entry for entry in found if entry is not None)


def _seen(function: str, event: Mapping[str, Any]) -> Seen | None:
    report = read_report(event["message"])
    if report is None:
        return None
    at = event["timestamp"]
    instant = parse_instant(at) if isinstance(at, str) else datetime.fromtimestamp(at / 1000, UTC)
    return Seen(function=function, at=instant, report=report)
