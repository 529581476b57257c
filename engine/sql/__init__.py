"""SQL that people write. In: models and expressions. Out: their rows or columns, or a mistake in our words.

`sandbox.py` says what may stand in it, `contained.py` has it run in a child process with limits. Open
`sandbox.py` first.
"""
