"""Read botocore's service models fast: most of what making a client costs is decoding JSON.

botocore takes any object as `file_loader`; this one decodes with msgspec, which is several times faster
than `json` with ordered dicts, and plain dicts keep their order (docs: Python language reference, 3.7).
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader


class ServiceModels(JSONFileLoader):
    """A `file_loader` for botocore's Loader."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 - JSON's edge
        """Return a decoded model, plain or gzipped, or None if it is not there.

        The path comes without its suffix.
        """
        plain = Path(f"{file_path}.json")
        if plain.is_file():
            return msgspec.json.decode(plain.read_bytes())
        packed = Path(f"{file_path}.json.gz")
        if packed.is_file():
            return msgspec.json.decode(gzip.decompress(packed.read_bytes()))
        return None
