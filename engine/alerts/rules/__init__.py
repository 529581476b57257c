"""Alert rules, a file each. In: the facts of a run. Out: the problems it shows. `_rule.py` says what a rule has."""
