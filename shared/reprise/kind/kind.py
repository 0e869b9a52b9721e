"""What the rest of the package asks of a kind of target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise.call.spelling import other_spelling

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping

    from reprise.aws.session import Clients
    from reprise.call.request import CallRequest
    from reprise.ports import Functions


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of target."""

    name: str
    """As people say it."""
    arn: re.Pattern[str]
    """What the ARN of such a target looks like, whole."""
    marker: str
    """The field by which a job's `call` shows that it is meant for this kind."""
    read_call: Callable[[Mapping[str, object], tuple[str, ...]], CallRequest]
    """Return the call that a document asks for, of one of the allowed ARNs; raise BadRequestError."""
    connect: Callable[[Clients, int], Functions]
    """Return what invokes such targets, given the longest call in seconds."""
    has_concurrency: bool = False
    """Whether Lambda limits how many of it run at once."""

    def is_meant(self, call: Mapping[str, object]) -> bool:
        """Tell whether a job's call is meant for this kind."""
        return self.marker in call or other_spelling(self.marker) in call
