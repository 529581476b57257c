"""The steps of a run, a file each: what it takes, does, and leaves to those after it."""

import importlib

from engine.runs.steps.job import Done, Job

NAMES = ("plan", "explore", "verdicts", "rejects", "contract", "chart", "merge", "publish", "navigate", "remask")


def do(job: Job) -> Done:
    """Does the part of a step; what it stands on is loaded by whoever works, and by nobody else."""
    done: Done = importlib.import_module(f"engine.runs.steps.{job.claim.step}").do(job)
    return done
