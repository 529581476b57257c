"""What a data protection officer needs. In: pipelines, verdicts and lineage. Out: the record of processing,
as data and as a PDF.

Open `record.py` first.
"""
