"""Calls, found: by what the index says of them and by what the ledger does."""
