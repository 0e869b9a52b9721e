"""Know which target a front door is for: the alias of the invoker that was called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reprise.call.target import resolve_target
from reprise.errors import BadRequestError

if TYPE_CHECKING:
    from reprise.call.target import Target

_ARN_PARTS: Final = 8
"""`arn:aws:lambda:region:account:function:name:qualifier`"""


def alias_of(invoked_arn: str) -> str | None:
    """Return the alias in the ARN that was invoked; None if there is none, or it is a version.

    Source: Lambda API reference, CreateAlias: an alias is no number.
    """
    parts = invoked_arn.split(":")
    alias = parts[-1] if len(parts) == _ARN_PARTS else ""
    return None if not alias or alias.startswith("$") or alias.isdigit() else alias


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The front doors of a stack."""

    targets: tuple[str, ...]
    """Functions that may be called; as for `is_allowed`."""
    called: dict[str, str]
    """What a door calls, as Lambda's Invoke API takes a FunctionName, by its alias."""
    invoker: str
    """Name of the function whose aliases they are."""

    @classmethod
    def read(cls, text: str, targets: tuple[str, ...], *, invoker: str) -> Doors:
        """Read the template's parameter: `orders,checkout=orders:live`."""
        entries = [entry.strip().partition("=") for entry in text.split(",") if entry.strip()]
        called = {name: called or name for name, _, called in entries}
        return cls(targets=targets, called=called, invoker=invoker)

    def target(self, alias: str) -> Target:
        """Return the target of an alias: what is said of it, else the function of its name.

        An alias that is no door calls nothing: who may invoke only it could else call every target.

        Raises:
            BadRequestError: If there is no such target, or it may not be called.
        """
        called = self.called.get(alias, alias)
        try:
            target = resolve_target(called, self.targets)
        except BadRequestError as error:
            raise BadRequestError(
                "alias",
                f"{alias!r} is no front door: {error.message}",
                "Name an alias as its target, or name both in FrontDoors, and the target in Targets",
                status=403,
            ) from error
        if target.name == self.invoker:
            # A star in Targets may allow it, and each call of it would be another.
            raise BadRequestError(
                "alias",
                f"{alias!r} leads back to the invoker",
                "Name a target in FrontDoors",
                status=403,
            )
        return target
