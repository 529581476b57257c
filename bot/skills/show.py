"""Show the first rows of a table, or the first masked ones of a dataset."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.client import Answer, Atlas
from bot.reply import Reply, Table
from bot.skill import skill
from bot.words import many, one_line, when

ZONED = "TIMESTAMP WITH TIME ZONE"

MOST = 50


@skill(
    "show {model}",
    right="read:models",
    help=f"up to {MOST} rows of a table, 20 masked of a dataset",
    example="show revenue_by_country",
    holds="rows",
)
async def show(atlas: Atlas, model: str) -> Reply:
    table, zone = await atlas.rows(model, limit=MOST), await atlas.zone()
    total, shown = table["total_rows"], len(table["rows"])
    built = when(table["built_at"], zone)
    if shown < total:
        told = f"{model} has {many(total, 'row')}, built {built}; the first {shown}:"
    else:
        told = f"{model} has {many(total, 'row')}, built {built}."
    rows, local = _drawn(table, zone)
    if local:
        told += f" Times are in {zone.key}."
    if table["note"]:
        told += f"\nNote: this is the table from before. {one_line(table['note'])}"
    return Reply(
        told,
        table=Table(table["columns"], rows) if rows else None,
        facts={key: table[key] for key in ("model", "columns", "rows", "total_rows")},
        next=[f"columns {model}", f"lineage {model}", f"impact {model}"],
        holds="rows",
    )


def _drawn(table: Answer, zone: ZoneInfo) -> tuple[list[list[Any]], bool]:
    """The rows as people read them, with times in their zone; whether there are times."""
    kinds = table["types"]
    rows = [[_cell(value, kind, zone) for value, kind in zip(row, kinds, strict=True)] for row in table["rows"]]
    return rows, ZONED in kinds


def _cell(value: Any, kind: str, zone: ZoneInfo) -> Any:
    if isinstance(value, str) and kind.startswith("TIMESTAMP"):
        try:
            there = datetime.fromisoformat(value)
        except ValueError:  # beyond the years that Python knows
            return value.replace("T", " ")
        local = there.astimezone(zone) if kind == ZONED and 1 < there.year < 9999 else there
        return f"{local:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
    return value
