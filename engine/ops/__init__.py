"""How the installation is doing. In: processes, duties and the store. Out: what `/readyz` and the metrics say.

Open `health.py` first.
"""
