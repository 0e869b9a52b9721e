"""Replay what was captured in a window of time, from the capture objects."""
