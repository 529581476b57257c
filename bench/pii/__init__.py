"""Measures how personal data is found and masked: how much of it, how surely, how fast."""
