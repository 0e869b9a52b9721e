"""Read capture objects: whatever CloudWatch Logs and Firehose write, in bounded memory.

One public function, `read_events`. Behind it every reader has `feed(data)`, which yields what ends within the
bytes so far, and `end()`, which yields what is left; what comes out does not depend on how the bytes are cut.

    layer     gzip members one after the other; what they hold is fed to the layer below
    member    one member: inflated, held until its checksum is right, given up if it fails
    between   what stands in no member: gaps, text, damage
    text      text, cut into documents and lines
    parts     those, decoded; gzip in base64 goes to a layer of its own
    envelope  one document's events, in a function
    repair    a stretch that is no document, taken apart
    salvage   JSON tried anywhere in such a stretch, on a budget; an envelope's events saved

A layer is told, besides, where a member's content begins (`enter`) and ends (`feed_last`): a whole document
does not wait for the next one. That is also the short way, tried first: nearly all members hold one envelope.
What is neither is `Damage`, with its place; the `Account` knows every byte of every layer.
"""

from __future__ import annotations

from reprise.logreader.items import Account, Control, Damage, Item, LogEvent, Origin, UnknownLine
from reprise.logreader.layer import SLICE_BYTES, read_events

__all__ = [
    "SLICE_BYTES",
    "Account",
    "Control",
    "Damage",
    "Item",
    "LogEvent",
    "Origin",
    "UnknownLine",
    "read_events",
]
