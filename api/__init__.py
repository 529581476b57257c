"""A thin HTTP face: says who may ask, hands on, answers at once."""
