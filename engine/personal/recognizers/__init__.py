"""One file, one kind of personal data: `recognizer` in it is a Presidio recognizer with a vectorised fast path."""
