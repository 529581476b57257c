"""What the API says: its shapes, one file a noun. Decimals are strings, times ISO 8601 in UTC."""

from api.answers.alerts import ALERT, Alert, AlertState, told_alerts
from api.answers.columns import PERSONAL, Personal, personal
from api.answers.problem import PROBLEMS, Problem, problem_schema
from api.answers.quality import (
    CHANGE,
    CHECK,
    Change,
    Check,
    Dimensions,
    change,
    checks,
    dimensions,
    not_measured,
    worst,
)
from api.answers.runs import BRIEF, Brief, Run, State, brief, run
from api.answers.values import Decimal, Time, cut, each, example, score, time

__all__ = [
    "ALERT", "BRIEF", "CHANGE", "CHECK", "PERSONAL", "PROBLEMS", "Alert", "AlertState", "Brief", "Change", "Check",
    "Decimal", "Dimensions", "Personal", "Problem", "Run", "State", "Time", "brief", "change", "checks", "cut",
    "dimensions", "each", "example", "not_measured", "personal", "problem_schema", "run", "score", "time",
    "told_alerts", "worst",
]  # fmt: skip
