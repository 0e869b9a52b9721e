"""Read capture objects: whatever CloudWatch Logs and Firehose write, in bounded memory.

One public function, `read_events`. Behind it: `layer` undoes gzip: `members` inflates, `inside` hands on what
comes out, `outside` takes what stands between. `text` splits text, `gap` and `line_ends` by its lines, into
`parts`, which `envelope` decodes; `search`, `mend` and `salvage` deal with damage, and `account` knows every
byte.
"""

from __future__ import annotations

from reprise.logreader.items import Account, Control, Damage, Event, Item, Origin, UnknownLine
from reprise.logreader.layer import read_events

__all__ = ["Account", "Control", "Damage", "Event", "Item", "Origin", "UnknownLine", "read_events"]
