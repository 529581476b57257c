"""Reading a source. In: what a connector reads of it, as text. Out: raw Parquet files, and the type of each column.

Open `ingest.py` first; `decide.py` decides the types from what `profile.py` has counted.
"""
