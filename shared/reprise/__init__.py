"""Reprise keeps synchronous Lambda calls that were refused or failed, and replays them.

`invoke` makes a call from any process, `Client` does so with settings of your own, and `capture` decorates a
target so that it logs its own failed events. `from reprise.testing import FakeClient` is a client's double.

Example:
    import reprise

    result = reprise.invoke("orders", '{"n": 1}', idempotency_key="order-1")
    if result.status_code == 202:
        print("captured, and replayed later:", result.call_id)

Everything that is named here is public; what the submodules have beside it may change with any release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reprise.version import __version__

if TYPE_CHECKING:
    from reprise.call.outcome import Outcome, OutcomeKind
    from reprise.client import CallResult, CallStatus, Client, invoke
    from reprise.decorator import capture
    from reprise.errors import BadRequestError, RepriseError, SettingsError, StoreError
    from reprise.ledger import State

__all__ = [
    "BadRequestError",
    "CallResult",
    "CallStatus",
    "Client",
    "Outcome",
    "OutcomeKind",
    "RepriseError",
    "SettingsError",
    "State",
    "StoreError",
    "__version__",
    "capture",
    "invoke",
]

_HOMES: Final = {
    "BadRequestError": "errors",
    "CallResult": "client",
    "CallStatus": "client",
    "Client": "client",
    "Outcome": "call.outcome",
    "OutcomeKind": "call.outcome",
    "RepriseError": "errors",
    "SettingsError": "errors",
    "State": "ledger",
    "StoreError": "errors",
    "capture": "decorator",
    "invoke": "client",
}
"""Module of each name. They are loaded at first use: whoever imports a core module, as every function of the
stack does, loads no AWS client by that."""


# Hidden from type checkers, which would take any name for one that is here.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load what has this name, and keep it: the next use finds it without asking here."""
        if name not in _HOMES:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        from importlib import import_module  # noqa: PLC0415 - only for this

        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Name what is public, for `help()` and completion, loaded or not."""
    return sorted({*globals(), *__all__})
