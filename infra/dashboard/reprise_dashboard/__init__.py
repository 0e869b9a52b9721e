"""Describes the CloudWatch dashboard in Python, and writes it into infra/observability.yaml.

`python -m reprise_dashboard` writes; `--check` only says whether the template is in step.
"""
