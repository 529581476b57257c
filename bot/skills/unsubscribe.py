"""Stop the alerts about a dataset."""

from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill


@skill("unsubscribe {dataset}", right="read:quality", help="stop the alerts about a dataset",
       example="unsubscribe customers", holds="counts")  # fmt: skip
async def unsubscribe(atlas: Atlas, dataset: str) -> Reply:
    await atlas.unsubscribe(dataset)
    return Reply(
        f"You no longer get the alerts about {dataset}.",
        facts={"dataset": dataset}, next=[f"subscribe {dataset}", "alerts"], holds="counts"
    )  # fmt: skip
