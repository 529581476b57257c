"""One file, one place where people talk to Atlas: words in, replies drawn."""
