"""What is published: charted datasets and the tables built on them."""

from datetime import UTC, datetime

from bot.client import Atlas
from bot.reply import Reply, Table
from bot.skill import skill
from bot.words import count, many, when


@skill(
    "datasets",
    right="read:catalog",
    help="every published dataset and table: rows, score, age",
    example="datasets",
    holds="counts",
)
async def datasets(atlas: Atlas) -> Reply:
    items, zone = (await atlas.datasets())["items"], await atlas.zone()
    if not items:
        return Reply("Nothing is published yet.", facts={"items": []}, next=["pipelines"], holds="counts")
    # the lowest score first, then what is older
    items = sorted(items, key=lambda d: (d["kind"] == "model", float(d["score"] or 101), d["published_at"] or ""))
    rows = [
        [d["dataset"], "table" if d["kind"] == "model" else "dataset", count(d["rows"]), d["score"],
         when(d["published_at"], zone, datetime.now(UTC)), d["owner"], d["description"]]
        for d in items
    ]  # fmt: skip
    charted = sum(d["kind"] != "model" for d in items)
    tables = len(items) - charted
    after = [f"quality {items[0]['dataset']}"] if items[0]["kind"] != "model" else []
    after += [f"show {d['dataset']}" for d in items if d["kind"] == "model"][:1]
    return Reply(
        f"{many(charted, 'dataset')} and {many(tables, 'table')} built on them."
        if tables
        else f"{many(charted, 'dataset')}.",
        table=Table(["name", "kind", "rows", "score", "published", "owner", "description"], rows),
        facts={"items": items},
        next=after,
        holds="counts",
    )
