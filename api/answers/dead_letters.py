"""Rejected rows, by cause."""

from pydantic import BaseModel

from api.answers.runs import State
from api.answers.values import example


class Sample(BaseModel):
    """A value that ten rejected rows or more share, of a column that is not personal."""

    value: str
    rows: int


class Group(BaseModel):
    """Rows that were rejected for the same cause."""

    cause: str
    rule: str | None
    column: str | None
    rows: int
    lines: list[str]
    samples: list[Sample]
    others: int  # how many more values there are


class DeadLetters(BaseModel):
    """The rejected rows of a run, by cause; `total` is of the run, not of the page."""

    model_config = example(
        pipeline="customers", run=12, state="succeeded", total=37, rows_in=10214, earlier=0,
        groups=[{"cause": "email is no e-mail address", "rule": "validity", "column": "email", "rows": 37,
                 "lines": ["customers.csv:12", "customers.csv:40"], "samples": [], "others": 31}],
        next=None,
    )  # fmt: skip

    pipeline: str
    run: int
    state: State
    total: int
    rows_in: int | None
    earlier: int  # rejected by earlier runs whose rows were merged with those of this one
    groups: list[Group]
    next: int | None
