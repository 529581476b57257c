"""Navigate tables: their rows, in the order the model gives them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api import answers
from api.deps import Caller, HomeDep, needs
from core.errors import NotFound
from engine import catalog
from engine.store import datasets

router = APIRouter(prefix="/api/v1/models", tags=["models"])


@router.get("/{name}/rows")
def get_rows(
    name: str,
    home: HomeDep,
    _: Annotated[Caller, needs("read:models")],
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> dict[str, Any]:
    """The first rows of a table and how many it has."""
    from engine.navigate import build  # opens DuckDB: loaded when somebody looks

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
        table = datasets.table(db, dataset, version)
    shown = build.rows(table, limit)
    return {
        "model": name,
        "columns": shown.columns,
        "rows": shown.rows,
        "total_rows": version.rows,
        "version": version.number,
        "built_at": answers.time(version.published_at),
    }
