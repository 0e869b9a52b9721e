"""Dead-letter queues: what is in them, and the way back."""
