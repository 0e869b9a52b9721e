"""The command `reprise`: make calls, look at them, redrive dead letters, and prove the promise."""
