"""Why a run failed or a score fell."""

from bot import models
from bot.client import Atlas
from bot.reply import Reply
from bot.runs import depend
from bot.skill import skill
from bot.words import listing, one_line, when


@skill(
    "why {subject}",
    right="read:quality",
    help="the cause of a failure or a fall, from facts",
    example="why customers",
    holds="counts",
)
async def why(atlas: Atlas, subject: str) -> Reply:
    answer = await atlas.why(subject)
    if answer["kind"] == "model":
        return await models.why(atlas, answer)
    name, number = answer["about"], answer["run"]
    causes = [one_line(cause) for cause in answer["sentences"]]
    told = [await _dated(atlas, one_line(answer["headline"]), number)]
    told += [f"{n}. {cause}" for n, cause in enumerate(causes, 1)] if len(causes) > 1 else causes
    if answer["not_checked"]:
        told.append(f"Not checked: {listing(answer['not_checked'], last=', ')}.")
    owner = f"Owner {one_line(answer['owner'])}. " if answer["owner"] else ""
    good = (
        f"Last good version: run #{answer['last_good']}. " if answer["last_good"] else "There is no good version yet. "
    )
    told.append(f"{owner}{good}{depend(answer['dependents'])}")
    bad = answer.get("state") in ("failed", "cancelled")
    after = [f"retry {number}"] if bad else [f"impact {name}", f"quality {name} trend"]
    return Reply("\n".join(told), facts=answer, next=after, holds="counts")


async def _dated(atlas: Atlas, headline: str, number: int) -> str:
    """`… in run #12 (today 06:00).`"""
    run, zone = await atlas.run(number), await atlas.zone()
    at = when(run["finished_at"] or run["created_at"], zone)
    named = f"un #{number} of {run['pipeline']}"
    told = named if named in headline else f"un #{number}"
    return headline.replace(told, f"{told} ({at})", 1)
