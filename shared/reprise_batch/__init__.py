"""Batch jobs that failed: what their events tell, how they are classified, how they are submitted again."""
