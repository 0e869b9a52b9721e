"""The gate of a target: when replays may flow to it, and how many."""
