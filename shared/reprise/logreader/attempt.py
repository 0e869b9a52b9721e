"""Try to decode a JSON object somewhere in a stretch of damaged text, and say what the try cost.

A stretch is tried at many places, and a hostile one is made so that every try looks at much of it in vain. So
each try tells its cost honestly, and whoever tries has a budget for the whole stretch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reprise.logreader.envelope import JSON

if TYPE_CHECKING:
    from typing import SupportsIndex

_FREE_CHARACTERS: Final = 4096
_UNTERMINATED: Final = "Unterminated string"
"""How `json` begins to say that a string goes on to the end of the text."""


class Stretch(str):
    """A text that is tried at many places.

    For every error `json` counts the lines before it, from the text's beginning: many errors in a long text
    would be quadratic. Nobody asks for the numbers here, so this text has no lines.
    """

    __slots__ = ()

    def count(
        self,
        sub: str,  # noqa: ARG002 - as `str` has it
        start: SupportsIndex | None = None,  # noqa: ARG002 - as above
        end: SupportsIndex | None = None,  # noqa: ARG002 - as above
        /,
    ) -> int:
        """Return 0."""
        return 0

    def rfind(
        self,
        sub: str,  # noqa: ARG002 - as `str` has it
        start: SupportsIndex | None = None,  # noqa: ARG002 - as above
        end: SupportsIndex | None = None,  # noqa: ARG002 - as above
        /,
    ) -> int:
        """Return -1."""
        return -1


@dataclass(frozen=True, slots=True)
class Failure:
    """A try that gave nothing."""

    at: int
    """Where the text is no JSON any more; where the try began if it is too deep."""
    reason: str


class Attempts:
    """The tries in one stretch, and what is left of their budget."""

    __slots__ = ("_budget", "text")

    def __init__(self, data: bytes, work: int) -> None:
        """Begin.

        Args:
            data: The stretch.
            work: Characters that may be looked at in vain, per character: what keeps this linear.
        """
        self.text: Final = Stretch(data.decode("utf-8", "surrogateescape"))
        self._budget = work * len(self.text) + _FREE_CHARACTERS

    @property
    def is_exhausted(self) -> bool:
        """Tell whether so much was looked at in vain that no more should be tried."""
        return self._budget <= 0

    def decode(self, start: int) -> tuple[Any, int] | Failure:
        """Return the value that begins at a brace, and where it ends."""
        try:
            return JSON.raw_decode(self.text, start)
        except RecursionError:
            # Nobody says where it stopped.
            return self._failed(start, "too deep", len(self.text) - start)
        except ValueError as error:
            at, reason = getattr(error, "pos", start), getattr(error, "msg", "no JSON")
            end = len(self.text) if reason.startswith(_UNTERMINATED) else at + 1
            return self._failed(at, reason, end - start)

    def _failed(self, at: int, reason: str, cost: int) -> Failure:
        self._budget -= cost
        return Failure(at, reason)
