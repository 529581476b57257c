"""The main job in one sitting: the sample pipelines run, and what Atlas says about them."""

import sys

from atlas import talk
from core.settings import Settings

RUNS = ["run customers", "run products", "run orders", "run tickets"]
QUESTIONS = [
    "quality customers",
    "why customers",
    "pii customers",
    "lineage revenue_by_country.revenue",
    "impact customers",
    "show revenue_by_country",
    "dead customers",
    "gdpr report customers",
    "status",
    "runs",
    "help",
]


def play(settings: Settings) -> int:
    """With a terminal the runs and one table, then the prompt; without one all of it. 1 if Atlas refused anything."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return talk.chat(settings, None, [*RUNS, "show revenue_by_country"])
    return talk.chat(settings, None, RUNS + QUESTIONS, hear=False)
