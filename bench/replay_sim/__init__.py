"""A discrete-event simulation of a target, its live callers, and what replays to it."""
