"""Exhaustive exploration."""
