"""Suggestions: what there is to choose from for a missing part, and whether what a guess names is there."""

from dataclasses import replace

from bot import alerts, grammar
from bot.client import Atlas, AtlasProblem
from bot.grammar import Command, Missing
from bot.reply import Action, Reply, misread
from bot.skill import skills
from bot.skills.pii import KINDS
from bot.words import listing

NOUNS = {
    "node": "table or column", "subject": "pipeline or run", "model": "table or dataset", "table": "dataset or table",
    "topic": "command",
}  # fmt: skip
# kinds of things that can be listed
LISTED = frozenset(("pipeline", "dataset", "subject", "model", "table", "node", "column"))


async def is_there(guess: grammar.Guess, atlas: Atlas) -> bool:
    """Whether what a guess names is there: what cannot be said is not suggested."""
    for action in guess.actions:
        meant = grammar.parse(action.command, skills())
        for slot, value in meant.values.items() if isinstance(meant, Command) else ():
            if slot not in LISTED or str(value).isdecimal():
                continue
            try:
                lists = [await _names(kind, atlas, ()) or () for kind in ("pipeline", "table")]
            except AtlasProblem:
                return False
            if not any(str(value).casefold().partition(".")[0] in names for names in lists):
                return False
    return True


async def ask_for(missing: Missing, atlas: Atlas) -> Reply:
    """Asks for the missing part, with what there is to choose from."""
    asked = await _question(missing, atlas)
    said = missing.said.split()
    bare = any(pattern.words[: len(said)] == said for pattern in missing.skill.patterns)
    return replace(asked, holds=missing.skill.holds) if bare else asked


async def _question(missing: Missing, atlas: Atlas) -> Reply:
    if missing.slot.rest:
        return misread(f"Say the rest, too: {missing.said} … For example: {missing.skill.example}")
    noun = NOUNS.get(missing.slot.name, missing.slot.name)
    question = f"Which {noun}?"
    try:
        names = await _names(missing.slot.name, atlas, missing.skill.states)
    except AtlasProblem as problem:
        return misread(f"{question} {problem.message}")
    buttons = [Action(f"{missing.said} {grammar.quoted(name)}") for name in (names or ())[:6]]
    if names is None:
        return misread(f"{question} For example: {missing.skill.example}")
    states = listing(missing.skill.states, last=" or ")
    none = f"None of the newest is {states}." if states else "There is none yet."
    return misread(f"{question} {listing(names, most=12) or none}", *buttons)


async def _names(kind: str, atlas: Atlas, states: tuple[str, ...]) -> list[str] | None:
    """What a missing part could be, the likeliest first; None for what is not listed: tokens, users."""
    if kind == "run":
        newest = (await atlas.runs(limit=50))["items"]
        return [f"#{run['run']}" for run in newest if not states or run["state"] in states][:6]
    if kind == "alert":
        return [f"#{alert['alert']}" for alert in alerts.heads(await atlas.alerts())]
    if kind == "type":
        return list(KINDS)
    if kind == "model":  # datasets can be shown, too
        found = (await atlas.datasets())["items"]
        return [d["dataset"] for d in sorted(found, key=lambda d: d["kind"] != "model")]
    if kind in ("node", "table"):
        return [d["dataset"] for d in (await atlas.datasets())["items"]]
    if kind in ("pipeline", "dataset", "subject"):
        return [p["name"] for p in (await atlas.pipelines())["items"]]
    return None
