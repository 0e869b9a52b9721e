"""The add-on replies: late results go where their callers want them, at least once, off the replay's way."""
