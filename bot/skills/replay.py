"""Try rejected rows again."""

from collections.abc import AsyncIterator

from bot.client import Atlas
from bot.reply import Reply
from bot.runs import follow
from bot.skill import skill


@skill(
    "replay {pipeline}",
    right="run",
    help="apply today's rules to the rows of the last run",
    example="replay customers",
    holds="counts",
)
async def replay(atlas: Atlas, pipeline: str) -> AsyncIterator[Reply]:
    async for reply in follow(atlas, await atlas.replay(pipeline), note="a replay"):
        yield reply
