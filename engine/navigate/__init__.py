"""Business aggregations. In: published tables, and models, which are SQL files. Out: a table for each model, in
the order in which they read each other.

Open `models.py` first, then `build.py`.
"""
