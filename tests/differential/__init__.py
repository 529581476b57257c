"""Does Atlas publish what a source holds? Made sources, whose truth is known, are read by the real Atlas and compared.

The truth comes from the makers, never from Atlas's own code: `truth.py` says what counts as right.
"""
