"""One file, one masking action: `mask(cells, type_, options, key)` gives the cells that are written instead."""
