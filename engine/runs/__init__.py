"""The course of a run. In: somebody who asks, a schedule, or work that a dead process left. Out: a version, or why not.

`course.py` says what follows what, `worker.py` takes parts under a lease and does their step, each file in `steps/` is
one step. Open `course.py` first.
"""
