"""The capture line: what the caller's side writes, and how it is read back and trusted."""
