"""The pages of docs/reference that follow from code and templates, as they should be."""
