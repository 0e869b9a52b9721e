"""Read capture objects: whatever CloudWatch Logs and Firehose write, in bounded memory.

One public function, `read_events`; the stages behind it are inflate, split and envelope.
"""

from reprise.reader.envelope import Control, Damage, Event, Foreign, Item, read_events

__all__ = ["Control", "Damage", "Event", "Foreign", "Item", "read_events"]
