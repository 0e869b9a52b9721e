"""How an invocation ended, and what that means for a replay."""
