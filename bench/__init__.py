"""Measures Atlas as its users meet it, and prints what it saw."""
