"""Capture objects become rows of the ledger and messages of the replay queue, or wait in S3."""
