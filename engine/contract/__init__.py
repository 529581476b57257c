"""The quality of a version. In: raw rows and the rules of the pipeline file. Out: how many rows fail which rule, the
rows to reject, and the score in six dimensions.

Each file in `dimensions/` is one dimension. Open `measure.py` first.
"""
