"""One file, one quality dimension: from the rules of a contract to the checks that measure them."""
