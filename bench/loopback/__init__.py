"""A server on the loopback that answers the benches as AWS does, and counts what it is asked."""
