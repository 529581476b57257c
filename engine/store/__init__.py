"""The only code that queries our own database."""
