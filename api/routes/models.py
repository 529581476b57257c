"""Navigate tables: their rows, in the order the model gives them."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from api import answers
from api.asked import Name
from api.deps import Caller, HomeDep, needs
from api.slow import slow
from core.errors import NotFound
from engine import catalog, rulings
from engine.store import datasets

router = APIRouter(prefix="/api/v1/models", tags=["models"])

MOST_AS_JSON, MOST_AS_CSV = 1000, 100_000


class Rows(BaseModel):
    """The first rows of a table; decimals and times in them are text."""

    model_config = answers.example(
        model="customers_by_city", columns=["city", "customers", "spent"], rows=[["Vejle", 12, "310.50"]],
        total_rows=12, version=3, built_at="2026-03-02T05:00:02.300Z",
    )  # fmt: skip

    model: str
    columns: list[str]
    rows: list[list[Any]]
    total_rows: int
    version: int
    built_at: answers.Time


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
    """The first rows of a table and how many it has; with `Accept: text/csv` as CSV, 100,000 if no limit is given."""
    from engine.navigate import build, export  # open DuckDB and polars: loaded when somebody looks

    with home.database.read() as db:
        try:
            dataset, version = datasets.get(db, name, "model")
        except NotFound:
            folder = home.settings.pipelines / "navigate"
            known = sorted(path.stem for path in folder.glob("*.sql"))
            if name in known:
                raise NotFound(f"The table of `{name}` is not built yet.", hint=f"lineage {name}") from None
            if name in catalog.files(home.settings.pipelines):
                raise NotFound(f"`{name}` is a dataset; only Navigate tables are shown row by row.",
                               hint=f"Its tables: impact {name}") from None  # fmt: skip
            raise catalog.nearest("model", name, known) from None
        rulings.must_not_be_shown(db, name, version)
        table = datasets.table(db, dataset, version)
    caller.saw("rows.read", f"model {name}")
    if "text/csv" in accept:
        file = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
        headers = {"Content-Disposition": f'attachment; filename="{file}.csv"'}
        return StreamingResponse(export.lines(table, limit or MOST_AS_CSV), media_type="text/csv", headers=headers)
    shown = build.rows(table, min(limit or 50, MOST_AS_JSON))
    told = Rows(
        model=name,
        columns=shown.columns,
        rows=shown.rows,
        total_rows=version.rows,
        version=version.number,
        built_at=answers.time(version.published_at),
    )
    return Response(told.model_dump_json(), media_type="application/json")
