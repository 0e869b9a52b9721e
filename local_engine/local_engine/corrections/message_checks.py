"""What SQS checks of a message and of a visibility timeout; no correction itself.

Source: SQS Developer Guide, "Amazon SQS message quotas"; botocore 1.44.5 sqs model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_engine.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DELAY_S = 900
MAX_VISIBILITY_S = 43_200
MAX_MESSAGE_BYTES = 1_048_576

_SQS = Seam("services.sqs")


def check_message(data: dict[str, Any]) -> None:
    """Refuse a message that SQS would refuse for its delay or its size."""
    delay_s = data.get("DelaySeconds")
    if delay_s is not None and not 0 <= int(delay_s) <= MAX_DELAY_S:
        raise _SQS["_Err"](
            "InvalidParameterValue",
            f"Value {delay_s} for parameter DelaySeconds is invalid. "
            "Reason: DelaySeconds must be >= 0 and <= 900.",
        )
    size = len(data.get("MessageBody", "").encode()) + sum(_attribute_sizes(data))
    if size > MAX_MESSAGE_BYTES:
        raise _SQS["_Err"](
            "InvalidParameterValue",
            "One or more parameters are invalid. "
            f"Reason: Message must be shorter than {MAX_MESSAGE_BYTES} bytes.",
        )


def _attribute_sizes(data: dict[str, Any]) -> Iterator[int]:
    for name, value in (data.get("MessageAttributes") or {}).items():
        text = str(value.get("StringValue") or value.get("BinaryValue") or "")
        yield len(name.encode()) + len(value.get("DataType", "").encode()) + len(text.encode())


def visibility_s(data: dict[str, Any]) -> int:
    """Return a visibility timeout; refuse one over twelve hours."""
    timeout_s = int(data.get("VisibilityTimeout", 30))
    if not 0 <= timeout_s <= MAX_VISIBILITY_S:
        raise _SQS["_Err"](
            "InvalidParameterValue",
            f"Value {timeout_s} for parameter VisibilityTimeout is invalid. "
            "Reason: VisibilityTimeout must be an integer between 0 and 43200.",
        )
    return timeout_s


def check_in_flight(message: dict[str, Any], now: float) -> None:
    """Refuse to hide a message that nobody holds."""
    if message["visible_at"] <= now:
        raise _SQS["_Err"](
            "MessageNotInflight",
            "Value for parameter ReceiptHandle is invalid. "
            "Reason: Message does not exist or is not available for visibility timeout change.",
        )
