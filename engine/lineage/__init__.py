"""What came from where. In: runs, and the SQL of models. Out: OpenLineage events, edges between columns, and pictures.

Open `of_runs.py` first, for models `columns.py`.
"""
