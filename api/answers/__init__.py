"""What the API says: its shapes, one file a noun. Decimals are strings, times ISO 8601 in UTC."""

from api.answers.alerts import ALERT, Alert, AlertState, told_alerts
from api.answers.columns import PERSONAL, Personal, personal
from api.answers.problem import PROBLEMS, Problem, problem_schema
from api.answers.quality import CHECK, Check, Dimensions, check, dimensions, worst
from api.answers.runs import BRIEF, Brief, Run, State, brief, run
from api.answers.values import Decimal, Time, cut, each, example, score, time

__all__ = [
    "ALERT", "BRIEF", "CHECK", "PERSONAL", "PROBLEMS", "Alert", "AlertState", "Brief", "Check", "Decimal", "Dimensions",
    "Personal", "Problem", "Run", "State", "Time", "brief", "check", "cut", "dimensions", "each", "example", "personal",
    "problem_schema", "run", "score", "time", "told_alerts", "worst",
]  # fmt: skip
