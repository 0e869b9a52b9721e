"""The schedule group of a stack, as a file of jobs says it."""
