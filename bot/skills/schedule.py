"""Let a pipeline run by itself."""

from bot.client import Atlas, AtlasProblem
from bot.cron import in_words, next_time
from bot.reply import Reply, misread
from bot.skill import skill
from bot.words import one_line


@skill(
    "schedule {pipeline} {cron...}", right="run", help="run a pipeline at set times, written as in cron",
    example='schedule customers "0 6 * * *"', holds="counts"
)  # fmt: skip
async def schedule(atlas: Atlas, pipeline: str, cron: str) -> Reply:
    again = f'schedule {pipeline} "0 6 * * *"'
    if len(cron.split()) != 5:
        text = "Times are five fields as cron writes them: minute, hour, day, month, weekday. 0 6 * * * is 6 each day."
        return misread(text, again)
    try:
        plan = await atlas.schedule(pipeline, cron)
    except AtlasProblem as problem:
        if problem.code != "bad_input":
            raise
        text = f"{problem.message} {problem.hint or ''}".strip()
        return Reply(text, ok=False, next=[again], facts={"code": problem.code}, holds="subjects")
    told = [f"{pipeline} runs {in_words(plan['cron'])}, next {next_time(plan, await atlas.zone())}."]
    told += [f"Note: {one_line(odd)}" for odd in plan["mind"]]
    return Reply(
        "\n".join(told), facts=plan, next=["schedules", f"unschedule {pipeline}", f"run {pipeline}"], holds="counts"
    )
