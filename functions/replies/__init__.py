"""The function of the add-on replies."""
