"""The files of a version. In: masked rows, and the version before. Out: Parquet files that are written once.

Open `write.py` first; `merge.py` puts what came since into what is there.
"""
