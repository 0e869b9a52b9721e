"""The chaos test: hold a target, make calls, let go, and prove what became of each call."""
