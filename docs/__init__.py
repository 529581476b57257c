"""The documentation; `make docs` writes its reference anew."""
