"""Whether a warm window is worth its cost: what the functions themselves report."""
