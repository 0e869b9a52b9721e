"""What operators see: counters of the backlog, the gates' gauges, incidents, lost notifications."""
