"""One file, one noun."""
