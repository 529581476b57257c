"""Run again what did not finish."""

from collections.abc import AsyncIterator

from bot.client import Atlas
from bot.reply import Reply
from bot.runs import follow
from bot.skill import skill


@skill(
    "retry {run}", right="run", help="a new run from the first step that did not finish", example="retry 12",
    states=("failed", "cancelled", "refused"), holds="counts"
)  # fmt: skip
async def retry(atlas: Atlas, run: int) -> AsyncIterator[Reply]:
    async for reply in follow(atlas, await atlas.retry(run)):
        yield reply
