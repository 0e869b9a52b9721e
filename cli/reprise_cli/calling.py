"""Make a call through the stack's invoker, and read its answer."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from reprise_cli.exits import CommandError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_lambda import LambdaClient

_TOO_MANY: Final = "TooManyRequestsException"
_FIRST_WAIT_S: Final = 0.1
_LAST_WAIT_S: Final = 2.0
_CAPTURED: Final = 202
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokerAnswer:
    """What the invoker said."""

    document: dict[str, Any]

    @property
    def status(self) -> int:
        """Return the answer's own status code; 0 if it has none."""
        status = self.document.get("StatusCode")
        return status if isinstance(status, int) else 0

    @property
    def call_id(self) -> str | None:
        """Return the id of a captured call; None if the call was not captured."""
        if self.status != _CAPTURED:
            return None
        block = self.document.get("reprise")
        return block.get("id") if isinstance(block, dict) else None

    @property
    def exit_code(self) -> ExitCode:
        """Return what the shell learns: answered, captured, or neither."""
        if self.call_id is not None:
            return ExitCode.CAPTURED
        is_answered = self.status == _OK and "FunctionError" not in self.document
        return ExitCode.OK if is_answered else ExitCode.FAILED


class InvokerClient:
    """The stack's front door; safe to use from several threads."""

    def __init__(self, client: LambdaClient, function: str, *, patience_s: float = 60.0) -> None:
        """Call through this function.

        Args:
            client: Must not retry by itself.
            function: Name of the stack's invoker.
            patience_s: How long the invoker's own throttles are waited out: it did not run then.
        """
        self._client = client
        self._function = function
        self._patience_s = patience_s

    def call(self, request: Mapping[str, Any]) -> InvokerAnswer:
        """Make one call.

        Raises:
            CommandError: If the invoker itself failed: whether the target ran is not known.
            ClientError, BotoCoreError: If the invoker was not reached or gave no answer.
        """
        body = json.dumps(request).encode()
        deadline_s, wait_s = time.monotonic() + self._patience_s, _FIRST_WAIT_S
        while True:
            try:
                response = self._client.invoke(FunctionName=self._function, Payload=body)
                break
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code != _TOO_MANY or time.monotonic() + wait_s > deadline_s:
                    raise
            time.sleep(wait_s)
            wait_s = min(_LAST_WAIT_S, wait_s * 2)
        text = response["Payload"].read()
        document = json.loads(text) if text else None
        if response.get("FunctionError") or not isinstance(document, dict):
            said = document.get("errorMessage") if isinstance(document, dict) else None
            raise CommandError(
                self._function, f"the invoker failed: {said or 'no message'}", "See its log group"
            )
        return InvokerAnswer(document=document)
