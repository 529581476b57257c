"""Published datasets: their versions, how good they are, and what is personal in them."""

from typing import Literal

from pydantic import BaseModel

from api.answers.columns import PERSONAL, Personal
from api.answers.quality import CHANGE, CHECK, Change, Check, Dimensions
from api.answers.runs import State
from api.answers.values import Decimal, Time, example

Kind = Literal["charted", "model"]


class Dataset(BaseModel):
    """A published dataset in a list."""

    model_config = example(
        dataset="customers", kind="charted", owner="crm-team", description="Customers from the CRM export",
        version=7, rows=10177, score="94.1", published_at="2026-03-02T05:00:02.300Z",
    )  # fmt: skip

    dataset: str
    kind: Kind
    owner: str
    description: str
    version: int
    rows: int
    score: Decimal | None
    published_at: Time


class Datasets(BaseModel):
    """A page of datasets."""

    items: list[Dataset]
    next: str | None


class Version(BaseModel):
    """A complete snapshot of a dataset."""

    model_config = example(
        version=7, run=12, rows=10177, published_at="2026-03-02T05:00:02.300Z", current=True
    )  # fmt: skip

    version: int
    run: int
    rows: int
    published_at: Time
    current: bool


class Versions(BaseModel):
    """A page of versions."""

    items: list[Version]
    next: int | None


class DatasetQuality(BaseModel):
    """What the contract measured in a run."""

    model_config = example(
        dataset="customers", version=7, run=12, state="succeeded", score="94.1", score_before="96.4",
        change=CHANGE, measured=5,
        dimensions={"completeness": "91.0", "accuracy": None}, dimensions_before={"completeness": "97.9"},
        not_measured=[], unmeasured=None,
        worst=[CHECK], checks=[CHECK], minimum_score=90.0, checked_at="2026-03-02T05:00:01.200Z",
        owner="crm-team",
    )  # fmt: skip

    dataset: str
    version: int | None
    run: int
    state: State
    score: Decimal | None
    score_before: Decimal | None
    change: Change | None
    measured: int
    unmeasured: str | None  # why there is no score
    dimensions: Dimensions
    dimensions_before: Dimensions | None
    not_measured: list[str]  # the rules that could not be, each with its reason
    worst: list[Check]
    checks: list[Check]
    minimum_score: float | None
    checked_at: Time
    owner: str | None


class Point(BaseModel):
    """The scores of one run."""

    model_config = example(
        run=12, at="2026-03-02T05:00:01.200Z", score="94.1", dimensions={"completeness": "91.0", "accuracy": None}
    )

    run: int
    at: Time
    score: Decimal | None
    dimensions: Dimensions


class Trend(BaseModel):
    """Scores, oldest first; the next page holds those before."""

    items: list[Point]
    next: int | None


class Pii(BaseModel):
    """What each column was found to hold."""

    model_config = example(dataset="customers", version=7, run=12, columns=[PERSONAL])

    dataset: str
    version: int | None
    run: int
    columns: list[Personal]
