"""Hold a target at concurrency 0, and let it go again whatever happens."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from reprise_cli.chaos.allowance import QUOTA
from reprise_cli.exits import CommandError
from reprise_cli.interrupt import uninterruptible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_lambda import LambdaClient

    from reprise_cli.chaos.deadman import DeadMan

_POLL_S: Final = 0.2
_RESTORE_TRIES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Holds one function."""

    functions: LambdaClient
    calls: LambdaClient
    """Client that does not retry: it looks for the first 429."""
    function: str
    dead_man: DeadMan
    limit_s: float = 60.0
    """How long the first 429 may take."""
    bound: int | None = None
    """Reserved concurrency for the whole test, so that live calls and replays share a known room."""

    @property
    def phases(self) -> tuple[str, str, str]:
        """Return what people are told before the hold, in it, and after it."""
        return (
            "setting the target's concurrency to 0",
            "the target is held: making calls",
            "the target is let go: watching the ledger",
        )

    def saved(self) -> int | None:
        """Return the function's reserved concurrency; None if it has none.

        Raises:
            CommandError: If it is 0 already: nobody would know what to restore.
        """
        response = self.functions.get_function_concurrency(FunctionName=self.function)
        reserved = response.get("ReservedConcurrentExecutions")
        if reserved == 0:
            raise CommandError(
                "--target",
                f"the reserved concurrency of {self.function} is 0 already",
                "Another chaos test runs, or was killed; let the function go with "
                f"`aws lambda delete-function-concurrency --function-name {self.function}`",
            )
        return reserved

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Give the function its reserved concurrency of the test inside, if there is one.

        Raises:
            CommandError: As `saved`.
        """
        if self.bound is None:
            yield
            return
        with self._guarded():
            self._reserve(self.bound)
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the function inside; a schedule lets it go if this process dies.

        Raises:
            CommandError: If the function is still not throttled after a minute.
        """
        if self.bound is None:
            with self._guarded():
                self._reserve(0)
                self._wait_for_first_throttle()
                yield
            return
        # The guard around the whole test restores what was there before it.
        try:
            self._reserve(0)
            self._wait_for_first_throttle()
            yield
        finally:
            with uninterruptible():
                self._restore(self.bound)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Restore the function's concurrency afterwards, by a schedule if this process dies."""
        reserved = self.saved()
        self.dead_man.arm(self.function, reserved)
        try:
            yield
        finally:
            with uninterruptible():
                self._restore(reserved)
                self.dead_man.disarm()

    def _reserve(self, concurrency: int) -> None:
        try:
            self.functions.put_function_concurrency(
                FunctionName=self.function, ReservedConcurrentExecutions=concurrency
            )
        except ClientError as error:
            told = error.response.get("Error", {})
            if told.get("Code") != "InvalidParameterValueException":
                raise
            raise CommandError(
                "--target",
                f"AWS does not let {self.function} reserve {concurrency}: {told.get('Message')}",
                f"Ask for {QUOTA}",
            ) from error

    def _restore(self, reserved: int | None) -> None:
        for left in reversed(range(_RESTORE_TRIES)):
            try:
                if reserved is None:
                    self.functions.delete_function_concurrency(FunctionName=self.function)
                else:
                    self.functions.put_function_concurrency(
                        FunctionName=self.function, ReservedConcurrentExecutions=reserved
                    )
            except (ClientError, BotoCoreError):
                if not left:
                    raise
                time.sleep(1.0)
            else:
                return

    def _wait_for_first_throttle(self) -> None:
        """Invoke until Lambda refuses: a new setting takes a moment to be known everywhere."""
        payload = json.dumps({"run": "before-the-test", "call": 0, "behaviour": "ok"}).encode()
        deadline_s = time.monotonic() + self.limit_s
        while time.monotonic() < deadline_s:
            try:
                self.calls.invoke(FunctionName=self.function, Payload=payload)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code != "TooManyRequestsException":
                    raise
                return
            time.sleep(_POLL_S)
        raise CommandError(
            "--target",
            f"{self.function} still answers {self.limit_s:.0f} s after its concurrency was set to 0",
            "Try again; if it stays, look at the function's concurrency settings",
        )
