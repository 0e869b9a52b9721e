"""A CloudWatch dashboard body as values.

Source: Amazon CloudWatch API Reference, "Dashboard Body Structure and Syntax".
"""
