"""Give messages of a batch back: by visibility, or sent afresh where SQS would soon end them."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reprise.errors import StoreError
from reprise.stage.renew import is_spent, renewed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reprise.ports import Queue
    from reprise.stage.delivery import Delivery, Group

_log = logging.getLogger(__name__)
_NO_GROUPS: Final[Mapping[str, Group]] = MappingProxyType({})


class Returns:
    """What of one batch goes back, by receipt handle."""

    __slots__ = ("_deliveries", "_given", "_groups", "_now_ms", "_queue")

    def __init__(
        self,
        queue: Queue,
        deliveries: Sequence[Delivery],
        groups: Mapping[str, Group] = _NO_GROUPS,
        *,
        now_ms: int,
    ) -> None:
        """Begin with nothing given back.

        Args:
            queue: Where the batch came from.
            deliveries: The batch.
            groups: Those of it that wait for a target, by its ARN: SQS serves targets fairly.
            now_ms: When the batch began.
        """
        self._queue = queue
        self._deliveries = {delivery.receipt_handle: delivery for delivery in deliveries}
        self._groups = {
            delivery.receipt_handle: function.rpartition(":")[2]
            for function, group in groups.items()
            for delivery, _ in group
        }
        self._now_ms = now_ms
        self._given: set[str] = set()

    def give_back(self, waits_s: Mapping[str, float]) -> None:
        """Let messages come again after their waits; those that are spent are sent afresh, and have served.

        A spent one that cannot be sent goes back as it is: it has as many deliveries left as it had before.
        """
        kept = dict(waits_s)
        for handle, wait_s in waits_s.items():
            delivery = self._deliveries[handle]
            if not is_spent(delivery, self._now_ms):
                continue
            try:
                self._queue.send([renewed(delivery, self._groups.get(handle), wait_s)])
            except StoreError:
                _log.exception(
                    "could not be sent afresh", extra={"message_id": delivery.message_id}
                )
            else:
                del kept[handle]
        if kept:
            self._queue.give_back(kept)
        self._given |= kept.keys()

    def again(self) -> list[str]:
        """Return the ids of the messages that SQS must keep, each once, in the order of the batch."""
        kept = [d.message_id for handle, d in self._deliveries.items() if handle in self._given]
        return list(dict.fromkeys(kept))
