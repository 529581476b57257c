"""A run has failed."""

from core.models import LAYERS
from engine.alerts.rules._rule import ROWS, Facts, Problem

SEVERITY, SPREADS, BY_CLOCK, MASKING = "high", True, False, False
OVER = "{dataset} runs again"

LAYER = {"plan": "explore", "explore": "explore", "navigate": "navigate"}  # all other steps belong to chart


def problems(facts: Facts) -> list[Problem]:
    if facts.state != "failed":
        return []
    step = facts.error.get("step", "plan")
    layer = LAYERS[LAYER.get(step, "chart")]
    touches = () if step == "navigate" else (ROWS,)  # by then the version is published
    message = str(facts.error.get("message") or "no reason given").rstrip(".")
    cause = f"Run #{facts.run} failed{facts.error.get('tries') or ''}: {message}."
    return [Problem(f"{facts.dataset} failed in {layer}", cause, (f"why {facts.run}", f"retry {facts.run}"),
                    touches=touches)]  # fmt: skip
