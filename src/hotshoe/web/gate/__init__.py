"""Checks on every request: its user, its address, its origin, and whether the user may open the app."""
