"""A call: its id, its target, its payload, and the request that asks for it."""
