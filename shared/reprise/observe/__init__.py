"""What operators see: bounded labels, gauges of the gates, the books of the backlog, events, incidents."""
