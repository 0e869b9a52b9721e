"""Execution environments that run Python functions under the real awslambdaric."""
