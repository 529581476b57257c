"""The work: takes data through Explore, Chart and Navigate. Knows nothing of HTTP or chat."""
