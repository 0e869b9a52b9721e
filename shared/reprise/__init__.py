"""Reprise keeps synchronous Lambda calls that were refused or failed, and replays them.

`reprise.client.invoke` makes a call from any process; `reprise.capture` decorates a target so that it
logs its own failed events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reprise.version import __version__

if TYPE_CHECKING:
    from reprise.decorator import capture

__all__ = ["__version__", "capture"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute can be anything
    """Load the decorator at first use, so that importing a core module loads no AWS client."""
    if name == "capture":
        from reprise.decorator import capture  # noqa: PLC0415 - see above

        return capture
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
