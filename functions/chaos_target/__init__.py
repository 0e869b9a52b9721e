"""The target of the chaos test."""
