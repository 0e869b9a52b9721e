"""Invoke targets of every kind: each by its own adapter, made at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reprise.kind import KINDS, kind_of
from reprise.outcome.outcome import Outcome, OutcomeKind
from reprise.ports import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reprise.aws.session import Clients
    from reprise.call.target import Target
    from reprise.kind.kind import Kind
    from reprise.ports import Functions


class TargetKinds:
    """Invokes whatever a target is; safe to use from several threads."""

    __slots__ = ("_adapters", "_call_timeout_s", "_clients", "_kinds")

    def __init__(
        self, clients: Clients, call_timeout_s: int, kinds: Iterable[Kind] = KINDS
    ) -> None:
        """Invoke targets of these kinds; functions, which nearly all are, are connected at once."""
        self._clients = clients
        self._call_timeout_s = call_timeout_s
        self._kinds = tuple(kinds)
        first = self._kinds[0]
        self._adapters: dict[str, Functions] = {first.name: first.connect(clients, call_timeout_s)}

    def invoke(
        self, target: Target, payload: bytes, client_context: str | None, trace: str | None = None
    ) -> Reply:
        """Invoke once; never raise for how it ends."""
        kind = kind_of(target.function, self._kinds)
        if kind is None:
            return Reply(
                outcome=Outcome(
                    kind=OutcomeKind.PERMANENT,
                    code="UnknownKind",
                    message=f"no kind of target is known that is called {target.function}",
                )
            )
        if kind.name not in self._adapters:
            self._adapters[kind.name] = kind.connect(self._clients, self._call_timeout_s)
        return self._adapters[kind.name].invoke(target, payload, client_context, trace)
