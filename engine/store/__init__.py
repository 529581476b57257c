"""Our own database. In: what the other rooms decide. Out: what was decided before. Nothing else queries it.

Open `tables.py` first; `leases.py` decides which process may work on which part.
"""
