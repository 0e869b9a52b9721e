"""Read a stack: one adapter a service; what may not be read is said, and nothing else is lost by it."""
