"""Metric math and SEARCH, as far as dashboards here use them: pure, on series that are handed in.

``local_engine.corrections.metric_math`` answers GetMetricData with it. What is not known here is refused by
name, never guessed.

Source: Amazon CloudWatch User Guide, "Using math expressions with CloudWatch metrics",
"CloudWatch search expression syntax" and "Using dynamic labels".
"""
