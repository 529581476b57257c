"""Start a run and tell how it goes."""

from collections.abc import AsyncIterator

from bot.client import Atlas
from bot.reply import Reply
from bot.runs import follow
from bot.skill import skill


@skill(
    "run {pipeline} [--full]",
    right="run",
    help="run a pipeline; --full reads all of its source again",
    example="run customers",
    holds="counts",
)
async def run(atlas: Atlas, pipeline: str, full: bool) -> AsyncIterator[Reply]:
    async for reply in follow(atlas, await atlas.start(pipeline, full=full)):
        yield reply
