"""Schedules: when a job runs, whether its next run may start, and what becomes of each run."""
