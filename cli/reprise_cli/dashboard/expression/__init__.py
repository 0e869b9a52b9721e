"""Metric math and SEARCH, as far as dashboards here use them.

The local engine evaluates neither, and one evaluator for both places shows the same numbers in both.
What is not known here is refused by name, never guessed.

Source: Amazon CloudWatch User Guide, "Using math expressions with CloudWatch metrics", and
"CloudWatch search expression syntax".
"""
