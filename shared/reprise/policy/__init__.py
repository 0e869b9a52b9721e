"""The policy of a target, and the rules that follow from it: how long to wait, and what to do next."""
