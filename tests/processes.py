"""Processes of a test beside its own: made from one that has loaded what they need, which takes most of their start."""

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["engine.runs.schedules", "engine.store.database", "tests.alerts.bot_process"])
