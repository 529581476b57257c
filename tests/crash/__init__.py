"""The crash matrix: every point at which state changes, under every fault, on servers of its own."""
