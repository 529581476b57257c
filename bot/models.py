"""How a model is told: built, or what keeps it from being built and what would help."""

from bot.client import Answer, Atlas
from bot.reply import Reply
from bot.runs import depend
from bot.words import one_line, when


async def why(atlas: Atlas, answer: Answer) -> Reply:
    """The answer to `why MODEL`."""
    name = answer["about"]
    told = [one_line(answer["headline"]), *map(one_line, answer["sentences"])]
    if answer["run"]:
        run, zone = await atlas.run(answer["run"]), await atlas.zone()
        number = f"run #{answer['run']}"
        at = f"{number} of {run['pipeline']} ({when(run['finished_at'] or run['created_at'], zone)})"
        if number in "\n".join(told):
            told = "\n".join(told).replace(number, at, 1).split("\n")
    owner = f"Owner {one_line(answer['owner'])}. " if answer["owner"] else ""
    told.append(f"{owner}{depend(answer['dependents'])}")
    remedy = told[-2].rpartition(": ")[2] if ": " in told[-2] else ""
    shown = [f"show {name}", f"lineage {name}"] if answer["run"] else []
    after = [remedy] if remedy.startswith(("run ", "why ", "status ")) else []
    return Reply("\n".join(told), facts=answer, next=[*after, *shown], holds="counts")
