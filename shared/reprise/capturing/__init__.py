"""A call becomes a signed capture line, and a capture line a trusted record again."""
