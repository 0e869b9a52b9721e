"""The key of one run of the engine, made when it starts; standard library only.

Who has the access key may use the engine as the account's owner; who has the token may control it.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKey:
    """What opens one engine; as JSON its three fields."""

    access_key_id: str
    """Names the key, as in the ``Credential`` of a signature."""
    secret_access_key: str = field(repr=False)
    """Signs requests; 240 random bits."""
    token: str = field(repr=False)
    """Opens the paths that control the engine; 256 random bits."""

    @classmethod
    def make(cls) -> Self:
        """Return a new key from the system's random source."""
        return cls(
            access_key_id=f"LOCAL{secrets.token_hex(8).upper()}",
            secret_access_key=secrets.token_urlsafe(30),
            token=secrets.token_urlsafe(32),
        )

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> Self:
        """Return the key that a state holds.

        Raises:
            KeyError: If it holds none.
        """
        return cls(**{name: str(state[name]) for name in cls.__slots__})


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w") as file:
        file.write(text)
    new.replace(path)
