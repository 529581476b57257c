"""One file, one thing people can say."""
