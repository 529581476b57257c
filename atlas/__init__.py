"""The command line and `serve`: the only package that imports all others and wires them."""
