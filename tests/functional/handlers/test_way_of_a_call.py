"""How many files one captured call runs through: what somebody has to open who follows it."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import reprise
from functional.handlers.conftest import ANSWERED
from functional.handlers.test_handlers import DONE, GONE, THROTTLED
from strategies import LOG_GROUP, ORDERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    import pytest

    from functional.handlers.conftest import Stack

PACKAGE: Final = str(Path(reprise.__file__).parent)
MOST_FILES: Final = 69
"""Sixty; two that call AWS in the place of the SDK's own, one by which ends share requests, two that know
whether a caller asked for its late result, and one whether it is a job of whose end people are told."""


class Way:
    """The files of the package that were run through, in the order of first sight."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.moves = 0
        self._last = ""

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(PACKAGE) or frame.f_code.co_name == "<module>":
            return
        self.files[name[len(PACKAGE) + 1 :]] += 1
        self.moves += name != self._last
        self._last = name

    @contextmanager
    def followed(self) -> Iterator[None]:
        before = sys.getprofile()
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(before)
            threading.setprofile(None)


def test_a_call_runs_through_few_files_from_invoker_to_dead_letter(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = stack.env["REPRISE_MAC_SECRET_ARN"]
    secrets = stack.clients.secrets()
    name = f"{stack.env['REPRISE_STACK']}/source/invoker"
    monkeypatch.setenv("REPRISE_MAC_SECRET_ARN", secrets.describe_secret(SecretId=name)["ARN"])
    monkeypatch.setenv("REPRISE_CAPTURE_LOG_GROUP", "stdout")
    way = Way()
    stack.server.answers[:] = [THROTTLED]
    request = {"FunctionName": ORDERS, "Payload": '{"order":1}'}
    answer = _handle(way, stack, "invoker.handler", request)
    call_id = answer["reprise"]["id"]
    line = next(text for text in capsys.readouterr().out.splitlines() if call_id in text)

    monkeypatch.setenv("REPRISE_MAC_SECRET_ARN", arn)
    assert LOG_GROUP in stack.env["REPRISE_LOG_GROUPS"]
    stack.store("captured/way.gz", line)
    assert _handle(way, stack, "replayer.unpacker", stack.receive("CAPTURE")) == DONE
    # Of its concurrency first, and where it runs; then of the call.
    stack.server.answers[:] = [ANSWERED, ANSWERED, GONE]
    assert _handle(way, stack, "replayer.replayer", stack.receive("REPLAY")) == DONE
    (letter,) = stack.receive("DEAD_LETTER")["Records"]
    assert call_id in letter["body"]

    with capsys.disabled():
        files = sorted(way.files)
        print(f"\n{len(files)} files, {way.moves} moves between them")  # noqa: T201 - its point
    assert len(files) <= MOST_FILES, "\n".join(files)


def _handle(way: Way, stack: Stack, module: str, event: object) -> Any:
    # Imported before it is followed: what a process does once is no part of a call's way.
    stack.load(module)
    with way.followed():
        return stack.handle(module, event)
