"""`reprise top`: the targets, live."""
