"""One batch of the replay queue, one attempt, one end."""
