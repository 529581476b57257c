"""Get the alerts about a dataset."""

from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill


@skill("subscribe {dataset}", right="read:quality", help="get the alerts about a dataset",
       example="subscribe customers", holds="counts")  # fmt: skip
async def subscribe(atlas: Atlas, dataset: str) -> Reply:
    subscribed = await atlas.subscribe(dataset)
    told = f"You get the alerts about {dataset} from now on."
    if not subscribed["in_chat"]:
        told = f"You have subscribed to {dataset}. No chat of yours is linked, so only `alerts` shows them to you."
    return Reply(told, facts=subscribed, next=[f"unsubscribe {dataset}", "alerts"], holds="counts")
