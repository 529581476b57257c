"""The rows that were rejected, by cause."""

from typing import Any

from bot.client import Atlas
from bot.reply import Reply, Table
from bot.runs import cause
from bot.skill import skill
from bot.words import count, many, one_line, percent

LINES = 3


@skill(
    "dead {pipeline}",
    right="read:dead-letters",
    help="the rejected rows of the last run, by cause",
    example="dead customers",
    holds="rows",
)
async def dead(atlas: Atlas, pipeline: str) -> Reply:
    answer = await atlas.dead_letters(pipeline)
    total, rows_in, number = answer["total"], answer.get("rows_in"), answer["run"]
    facts = {key: answer[key] for key in ("pipeline", "run", "total", "groups")}
    if not total:
        came = ", which failed" if answer.get("state") == "failed" else ""
        return Reply(
            f"No row of {pipeline} was rejected in run #{number}{came}.{_earlier(answer)}",
            facts=facts,
            next=[f"replay {pipeline}" if answer["earlier"] else f"quality {pipeline}"],
            holds="counts",
        )
    share = f" of {count(rows_in)} ({percent(total, rows_in)})" if rows_in else ""
    rows = [
        [cause(group["cause"]), group["column"], _values(group), count(group["rows"]), _lines(group)]
        for group in answer["groups"]
    ]
    if not rows:
        return Reply(
            f"{many(total, 'row')}{share} of {pipeline} {'was' if total == 1 else 'were'} rejected in run #{number}; "
            "why is gone with the raw rows.",
            facts=facts,
            next=[f"run {pipeline}"],
            holds="counts",
        )
    return Reply(
        f"{many(total, 'row')}{share} of {pipeline} {'was' if total == 1 else 'were'} rejected in run #{number}."
        f"{_earlier(answer)}",
        table=Table(["cause", "column", "values", "rows", "lines in the source"], rows),
        facts=facts,
        next=[f"replay {pipeline}", f"why {pipeline}"],
        holds="rows",
    )


def _earlier(answer: dict[str, Any]) -> str:
    rows = answer["earlier"]
    return f" In the runs before, back to the last full one, {many(rows, 'row')}." if rows else ""


def _values(group: dict[str, Any]) -> str:
    """Values that many of the rows share, if they may be shown, and how many others there are."""
    shown = [f"{one_line(sample['value'])} ({count(sample['rows'])})" for sample in group["samples"]]
    if group["others"]:
        shown.append(many(group["others"], "other value" if shown else "value"))
    return ", ".join(shown)


def _lines(group: dict[str, object]) -> str:
    lines = group["lines"]
    assert isinstance(lines, list)
    more = " …" if len(lines) > LINES or int(str(group["rows"])) > len(lines) else ""
    return ", ".join(dict.fromkeys(map(str, lines[:LINES]))) + more
