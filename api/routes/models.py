"""Rows: of a model's table in the order that the model gives them, and the first masked ones of a dataset."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from api import answers
from api.asked import Name
from api.deps import Caller, HomeDep, needs
from api.slow import slow
from core.errors import Refused
from engine import standing
from engine.alerts.known import OF_MODELS
from engine.personal import rulings
from engine.store import alerts, datasets

router = APIRouter(prefix="/api/v1/models", tags=["models"])

MOST_AS_JSON, MOST_AS_CSV = 1000, 100_000
MOST_OF_A_DATASET = 20  # rows, masked: enough to see what they look like


class Rows(BaseModel):
    """The first rows of a table; decimals and times in them are text."""

    model_config = answers.example(
        model="customers_by_city", kind="model", columns=["city", "customers", "spent"],
        types=["VARCHAR", "BIGINT", "DECIMAL(18,2)"], rows=[["Vejle", 12, "310.50"]],
        total_rows=12, version=3, built_at="2026-03-02T05:00:02.300Z", note=None,
    )  # fmt: skip

    model: str
    kind: Literal["charted", "model"]
    columns: list[str]
    types: list[str]  # types of the columns, as DuckDB names them
    rows: list[list[Any]]
    total_rows: int
    version: int
    built_at: answers.Time
    note: str | None  # why it is not newer, if a model could not be built since


BOTH: dict[int | str, dict[str, Any]] = {200: {"model": Rows, "content": {"text/csv": {"schema": {"type": "string"}}}}}


@router.get("/{name}/rows", response_model=None, response_class=Response, responses=BOTH)
@slow
def get_rows(
    name: Name,
    home: HomeDep,
    caller: Annotated[Caller, needs("read:models")],
    limit: Annotated[
        int | None, Query(ge=1, le=MOST_AS_CSV, description="50 if not given; JSON holds 1,000 at most.")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "application/json",
) -> Response:
    """The first rows of a model's table and how many it has; with `Accept: text/csv` as CSV, 100,000 if not limited.

    Of a charted dataset the first 20 rows, masked as they are published, and no CSV.
    """
    from engine.navigate import build, export  # open DuckDB and polars: loaded when somebody looks

    with home.database.read() as db:
        dataset, version = standing.published(home, db, name)
        is_model = dataset.kind == "model"
        if not is_model and "text/csv" in accept:
            raise Refused(f"`{name}` is a dataset: only the tables of models are given as CSV.", hint=f"impact {name}")
        rulings.must_not_be_shown(db, name, version)
        table = datasets.table(db, dataset, version)
        unbuilt = (a.cause for a in alerts.live(db) if is_model and a.rule == OF_MODELS and a.what == name)
        note = next(unbuilt, None)
    caller.saw("rows.read", f"{'model' if is_model else 'dataset'} {name}")
    if "text/csv" in accept:
        file = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
        headers = {"Content-Disposition": f'attachment; filename="{file}.csv"'}
        return StreamingResponse(export.lines(table, limit or MOST_AS_CSV), media_type="text/csv", headers=headers)
    shown = build.rows(table, min(limit or 50, MOST_AS_JSON if is_model else MOST_OF_A_DATASET))
    told = Rows(
        model=name,
        kind=dataset.kind,
        columns=shown.columns,
        types=[table.columns[column] for column in shown.columns],
        rows=shown.rows,
        total_rows=version.rows,
        version=version.number,
        built_at=answers.time(version.published_at),
        note=note,
    )
    return Response(told.model_dump_json(), media_type="application/json")
