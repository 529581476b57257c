"""Let a pipeline no longer run by itself."""

from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill


@skill(
    "unschedule {pipeline}",
    right="run",
    help="end the schedule of a pipeline",
    example="unschedule customers",
    holds="counts",
)
async def unschedule(atlas: Atlas, pipeline: str) -> Reply:
    await atlas.unschedule(pipeline)
    return Reply(
        f"{pipeline} no longer runs by itself.",
        facts={"pipeline": pipeline},
        next=[f"run {pipeline}", "schedules"],
        holds="counts",
    )
