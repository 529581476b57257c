"""Hear of the alerts about a dataset no longer."""

from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill


@skill("unsubscribe {dataset}", right="read:quality", help="hear of the alerts about a dataset no longer",
       example="unsubscribe customers", holds="counts")  # fmt: skip
async def unsubscribe(atlas: Atlas, dataset: str) -> Reply:
    await atlas.unsubscribe(dataset)
    return Reply(
        f"You hear of the alerts about {dataset} no longer.",
        facts={"dataset": dataset}, next=[f"subscribe {dataset}", "alerts"], holds="counts"
    )  # fmt: skip
