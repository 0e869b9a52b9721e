"""One call's story: every step with its time, as far as the ledger and the bucket remember."""
