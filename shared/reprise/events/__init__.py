"""What the stack tells EventBridge: the end of calls, changes of gates, incidents."""
