"""Jobs that run on a schedule, and environments that are kept warm."""
