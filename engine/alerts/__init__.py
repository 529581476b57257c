"""What people must know. In: the facts of a run that ended, or the time. Out: alerts, grouped under what caused them.

Each file in `rules/` is one rule. Open `asking.py` first.
"""
