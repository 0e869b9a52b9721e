"""A call: what is asked for, of which target, and how it ended."""
