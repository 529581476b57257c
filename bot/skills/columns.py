"""The columns of a dataset or table: what they hold, how empty they are, and what is personal in them."""

from bot.client import Answer, Atlas
from bot.reply import Reply, Table
from bot.runs import DONE_TO
from bot.skill import skill
from bot.skills.pii import KINDS
from bot.words import count, listing, many, one_line, percent, when

TYPES = {
    "VARCHAR": "text", "BIGINT": "integer", "INTEGER": "integer", "HUGEINT": "integer", "DOUBLE": "number",
    "DATE": "date", "TIMESTAMP": "datetime", "TIMESTAMP WITH TIME ZONE": "datetime", "BOOLEAN": "yes or no",
}  # fmt: skip


@skill(
    "columns {table}",
    "describe {table}",
    "schema {table}",
    right="read:catalog",
    help="the columns of a dataset or table, what is personal",
    example="columns customers",
    holds="rows",
)
async def columns(atlas: Atlas, table: str) -> Reply:
    answer, zone = await atlas.columns(table), await atlas.zone()
    found = answer["columns"]
    personal = sum(bool(c["personal"] or c["reached_by"]) for c in found)
    about = "" if answer["exact"] else "about "
    told = f"{table} has {many(len(found), 'column')} and {many(answer['rows'], 'row')}, "
    told += f"published {when(answer['published_at'], zone)}. "
    told += f"{personal or 'None'} of them {'holds' if personal < 2 else 'hold'} personal data."
    examples = any(c["example"] is not None for c in found)
    rows = [
        [c["name"], type_in_words(c["type"]), percent(c["empty"], answer["rows"]) if c["empty"] else "–",
         f"{about}{count(c['distinct'])}", *([short(c["example"])] if examples else []), _personal(c)]
        for c in found
    ]  # fmt: skip
    head = ["column", "type", "empty", "different", *(["example"] if examples else []), "personal data"]
    model = answer["kind"] == "model"
    return Reply(
        told,
        table=Table(head, rows),
        facts=answer,
        next=[f"show {table}", f"lineage {table}" if model else f"quality {table}"],
        holds="rows" if examples else "counts",
    )


def type_in_words(kind: str) -> str:
    """`text`, `integer`, `decimal(18,2)`: the words of pipeline files."""
    return TYPES.get(kind) or kind.lower()


def short(example: str | None, most: int = 20) -> str | None:
    if example is None:
        return None
    line = one_line(example)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _personal(column: Answer) -> str | None:
    """`e-mail addresses, hashed`; of a model's column, where it comes from."""
    if column["reached_by"]:
        return f"from {listing(column['reached_by'], most=2)}"
    if not column["personal"]:
        return None
    kinds = listing([KINDS.get(kind, kind) for kind in column["personal"]], most=3)
    if column["action"] is None:
        return f"single values masked: {kinds}"
    where = "" if column["scope"] == "column" or column["action"] == "keep" else " where found"
    return f"{kinds}, {DONE_TO[column['action']]}{where}"
