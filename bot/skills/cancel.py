"""Stop a run."""

import contextlib

from bot.client import ENDED, Atlas, AtlasProblem
from bot.reply import Reply
from bot.runs import facts, stands
from bot.skill import skill

PATIENCE = 10.0  # seconds: a run looks at the flag between two batches


@skill(
    "cancel {run}", right="run", help="stop a run; published versions stay", example="cancel 12",
    states=("queued", "running"), holds="counts"
)  # fmt: skip
async def cancel(atlas: Atlas, run: int) -> Reply:
    seen = await atlas.cancel(run)
    with contextlib.suppress(AtlasProblem):  # it takes longer: said below
        async for change in atlas.watch(seen, deadline=PATIENCE):
            seen = change
    if seen["state"] == "cancelled":
        after = [f"retry {run}"]
        text = f"Run #{run} of {seen['pipeline']} is cancelled. {await stands(atlas, seen, await atlas.zone())}"
    elif seen["state"] in ENDED:
        after = [f"status {run}"]
        text = f"Run #{run} of {seen['pipeline']} had ended before it could be stopped: {seen['state']}."
    else:
        after = [f"status {run}"]
        text = f"Run #{run} of {seen['pipeline']} is asked to stop; it stops at the next batch."
    return Reply(
        text,
        facts=facts(seen, after),
        next=after,
        ok=seen["state"] not in ("succeeded", "failed", "refused"),
        holds="counts",
    )
