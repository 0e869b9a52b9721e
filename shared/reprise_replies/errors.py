"""Why a late result was not delivered."""

from __future__ import annotations

from reprise.errors import RepriseError


class DeliveryError(RepriseError):
    """A late result was not taken where it was to go."""

    def __init__(self, code: str, message: str, *, is_final: bool = False) -> None:
        """Keep why, which quotes no payload and no token, and whether it is of no use to try again."""
        super().__init__(f"{code}: {message}")
        self.reason = f"{code}: {message}"
        self.is_final = is_final
