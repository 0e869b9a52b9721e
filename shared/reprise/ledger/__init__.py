"""The ledger: one row per call, its states, and who may change them when."""
