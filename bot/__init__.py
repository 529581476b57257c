"""The face people know: a sentence in, a Reply out, on every platform. Reaches the engine over HTTP only."""
