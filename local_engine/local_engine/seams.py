"""Name, check and replace the parts of ministack that a correction touches."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class SeamError(RuntimeError):
    """A name that a correction relies on is not in the installed ministack."""


class Seam:
    """One ministack module, opened by name so that every name is checked to exist.

    Names are looked up at each use: a correction sees what another one replaced.
    """

    __slots__ = ("_module",)

    def __init__(self, module_name: str) -> None:
        """Import ``ministack.<module_name>``.

        Raises:
            SeamError: If the module is missing.
        """
        try:
            self._module: ModuleType = importlib.import_module(f"ministack.{module_name}")
        except ImportError as error:
            message = f"ministack.{module_name} cannot be imported; check the pinned release"
            raise SeamError(message) from error

    def __getitem__(self, name: str) -> Any:
        """Return what the module calls ``name``.

        Raises:
            SeamError: If the module has no such name.
        """
        try:
            return getattr(self._module, name)
        except AttributeError as error:
            raise SeamError(self._missing(name)) from error

    def replace(self, name: str, new: object) -> Any:
        """Put ``new`` in the place of ``name`` and return what was there.

        Raises:
            SeamError: If the module has no such name.
        """
        old = self[name]
        setattr(self._module, name, new)
        return old

    def replace_entry(self, table: str, key: str, new: object) -> Any:
        """Put ``new`` under ``key`` of a dispatch table and return what was there.

        Raises:
            SeamError: If the module has no such table, or the table no such key.
        """
        entries: dict[str, Any] = self[table]
        if key not in entries:
            raise SeamError(self._missing(f"{table}[{key!r}]"))
        old = entries[key]
        entries[key] = new
        return old

    def add_entry(self, table: str, key: str, new: Callable[..., object]) -> None:
        """Add an operation that ministack does not have.

        Raises:
            SeamError: If the table already has the key: the correction is out of date.
        """
        entries: dict[str, Any] = self[table]
        if key in entries:
            message = f"{self._module.__name__}.{table} already has {key}; drop the correction"
            raise SeamError(message)
        entries[key] = new

    def set(self, name: str, value: object) -> None:
        """Set a constant of the module.

        Raises:
            SeamError: If the module has no such name.
        """
        self.replace(name, value)

    def _missing(self, name: str) -> str:
        return f"{self._module.__name__} has no {name}: the corrections need the pinned ministack release"
