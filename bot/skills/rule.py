"""Say what a column holds: a person's word, kept, stronger than what was found."""

from collections.abc import AsyncIterator
from dataclasses import replace

from bot.client import ENDED, Answer, Atlas
from bot.grammar import quoted
from bot.reply import Reply
from bot.runs import DONE_TO, follow
from bot.skill import skill
from bot.skills.pii import KINDS, facts
from bot.words import one_line


@skill(
    "pii {column} is {type}",
    "pii {column} is {type} because {because...}",
    "pii {column} is not pii because {because...}",
    right="rule:pii",
    help="decide what a column holds; it is masked at once",
    example="pii customers.f3 is CPR",
    holds="rows",
)
async def rule(atlas: Atlas, column: str, type: str | None = None, because: str = "") -> AsyncIterator[Reply]:
    dataset, _, name = column.partition(".")
    dataset = dataset.casefold().removeprefix("chart.")
    if not name:
        yield Reply(f"Say which column: pii {dataset}.COLUMN is …", ok=False, next=[f"pii {dataset}"], holds="subjects")
        return
    ruled = await atlas.rule(dataset, name, type, because)
    name = ruled["ruling"]["column"]
    done: Reply | None = None
    run = ruled["run"]
    while run:
        async for reply in follow(atlas, run):
            if reply.going:
                yield reply
            done = reply
        newest = (await atlas.runs(dataset, limit=1))["items"][0]  # a run that was active may be followed by another
        run = await atlas.run(newest["run"]) if newest["state"] not in ENDED else None
    found = [c for c in (await atlas.pii(dataset))["columns"] if c["column"] == name]
    told = f"{_holds(dataset, ruled['ruling'])} {_effect(dataset, ruled, done, (found or [ruled])[0]['action'])}"
    about = quoted(f"{dataset}.{name}")
    if done is not None:
        yield replace(done, text=f"{told}\n{done.text}", facts={**done.facts, **facts(dataset, found)}, holds="rows")
        return
    full = [] if ruled["effect"] == "holds already" else [f"run {dataset} --full"]
    yield Reply(told, facts=facts(dataset, found), next=[*full, f"pii {about}", f"lineage {about}"], holds="rows")


def _holds(dataset: str, ruling: Answer) -> str:
    held = KINDS.get(ruling["type"], str(ruling["type"])) if ruling["type"] else "no personal data"
    because = f": {one_line(ruling['because']).rstrip('.')}" if ruling["because"] else ""
    return f"{dataset}.{one_line(ruling['column'])} holds {held}, ruled by {one_line(ruling['by'])}{because}."


def _effect(dataset: str, ruled: Answer, done: Reply | None, published: str) -> str:
    """What holds now."""
    if done is not None:
        if done.ok:
            return f"It is {_done(published)}, in what was published too."
        return "It is not masked yet in what is published: no table that it is in is shown until it is."
    if ruled["effect"] == "holds already":
        return f"It is {_done(ruled['action'])} already."
    new = f"It is {_done(ruled['action'])} in new rows; what is published stays as it is."
    return f"{new} For all rows now: run {dataset} --full."


def _done(action: str) -> str:
    return "kept as it is" if action == "keep" else DONE_TO[action]
