"""`reprise doctor`: what is wrong with a deployed stack, what to do, and what nobody here can tell."""
