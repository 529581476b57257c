"""The rows that were rejected, by cause."""

from bot.client import Atlas
from bot.reply import Reply, Table
from bot.skill import skill
from bot.words import count, many, percent

LINES = 3


@skill(
    "dead {pipeline}",
    right="read:dead-letters",
    help="the rejected rows of the last run, by cause",
    example="dead customers",
)
async def dead(atlas: Atlas, pipeline: str) -> Reply:
    answer = await atlas.dead_letters(pipeline)
    total, rows_in, number = answer["total"], answer.get("rows_in"), answer["run"]
    facts = {key: answer[key] for key in ("pipeline", "run", "total", "groups")}
    if not total:
        came = ", which failed" if answer.get("state") == "failed" else ""
        return Reply(
            f"No row of {pipeline} was rejected in run #{number}{came}.", facts=facts, next=[f"quality {pipeline}"]
        )
    share = f" of {count(rows_in)} ({percent(total, rows_in)})" if rows_in else ""
    rows = [
        [_cause(group["cause"]), group["column"], count(group["rows"]), _lines(group)] for group in answer["groups"]
    ]
    return Reply(
        f"{many(total, 'row')}{share} of {pipeline} {'was' if total == 1 else 'were'} rejected in run #{number}.",
        table=Table(["cause", "column", "rows", "lines in the source"], rows),
        facts=facts,
        next=[f"replay {pipeline}", f"why {pipeline}"],
    )


def _cause(told: str) -> str:
    return f"“{told.removeprefix('not: ')}” does not hold" if told.startswith("not: ") else told


def _lines(group: dict[str, object]) -> str:
    lines = group["lines"]
    assert isinstance(lines, list)
    more = " …" if len(lines) > LINES or int(str(group["rows"])) > len(lines) else ""
    return ", ".join(dict.fromkeys(map(str, lines[:LINES]))) + more
