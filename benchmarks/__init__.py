"""Measured claims. Each module prints a table and a last line of JSON."""
