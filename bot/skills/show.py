"""Show the first rows of a table, or the first masked ones of a dataset."""

from bot.client import Atlas
from bot.reply import Reply, Table
from bot.skill import skill
from bot.words import many, when

MOST = 50


@skill(
    "show {model}",
    right="read:models",
    help=f"up to {MOST} rows of a table; of a dataset the first 20, masked",
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
    return Reply(
        told,
        table=Table(table["columns"], table["rows"]) if table["rows"] else None,
        facts={key: table[key] for key in ("model", "columns", "rows", "total_rows")},
        next=[f"columns {model}", f"lineage {model}", f"impact {model}"],
        holds="rows",
    )
