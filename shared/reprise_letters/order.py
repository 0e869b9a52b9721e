"""What the stack is told to do: the message that starts a run of a job."""

from __future__ import annotations

from typing import Annotated

import msgspec


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run of a job; what is to be done is in the job."""

    version: int = 1
    job: Annotated[str, msgspec.Meta(pattern=r"^[0-9TZ]{1,32}-[0-9a-f]{1,32}$")]
    by: str
    """ARN of whoever wants it, who need not be who began the job."""
    is_agreed: bool = False
    """Whether its letters may be touched; else it is only planned."""
    has_canary: bool = True
    rate_per_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """In place of the job's."""
    past_cancel: str | None = None
    """The word to stop that this order is later than, by its instant."""


def write_order(order: Order) -> str:
    """Return an order as a message's body."""
    return msgspec.json.encode(order).decode()


def read_order(body: str) -> Order:
    """Return what a message orders.

    Raises:
        ValueError: If it is no order.
    """
    return msgspec.json.decode(body, type=Order)
