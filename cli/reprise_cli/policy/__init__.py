"""The policy document: checked, changed, and who changed it when."""
