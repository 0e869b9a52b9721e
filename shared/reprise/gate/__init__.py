"""The gate of a target, limiter and circuit breaker in one: when replays may flow to it, and how many."""
