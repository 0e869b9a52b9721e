"""Read capture objects: whatever CloudWatch Logs and Firehose write, in bounded memory.

One public function, `read_events`. Behind it: `layer` undoes gzip, `text` splits what comes out,
`envelope` decodes it; `mend` and `salvage` deal with damage, and `account` knows every byte.
"""

from reprise.reader.account import Account
from reprise.reader.items import Control, Damage, Event, Foreign, Item
from reprise.reader.read import read_events

__all__ = ["Account", "Control", "Damage", "Event", "Foreign", "Item", "read_events"]
