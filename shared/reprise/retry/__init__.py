"""The policy of a target, and what follows from it: how long to wait, and what to do next. Pure."""
