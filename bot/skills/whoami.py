"""Who one is to Atlas, and what one may do."""

from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill
from bot.strangers import unknown
from bot.words import listing

MAY = {
    "read:runs": "see runs", "read:catalog": "see pipelines and datasets", "read:quality": "see quality",
    "read:lineage": "see lineage", "run": "start and cancel runs", "read:models": "see tables",
    "read:pii": "see what was found personal", "read:dead-letters": "see what was rejected",
    "rule:pii": "rule what is personal", "read:gdpr": "make GDPR reports", "read:audit": "see who did what",
    "reveal": "see what tokens stand for",
    "admin": "let people in", "grant": "give others a role on a dataset",
    "read:metrics": "see how Atlas itself is doing", "speak-for": "speak for people in a chat",
    "handle:alerts": "acknowledge, snooze, assign and resolve alerts",
}  # fmt: skip


@skill("whoami", right=None, help="your name and what you may do", example="whoami", holds="counts")
async def whoami(atlas: Atlas) -> Reply:
    me = await atlas.me()
    if not me["user"]:
        return unknown()
    may = listing([MAY.get(right, right) for right in sorted(me["rights"], key=lambda r: list(MAY).index(r)
                   if r in MAY else len(MAY))], most=20)  # fmt: skip
    if me["somewhere"]:
        may += f"; on some datasets also {listing([MAY.get(right, right) for right in me['somewhere']], most=20)}"
    return Reply(
        f"You are {me['user']}, {me['role']}. You may {may}.\nTimes are told in {me['timezone']}.",
        facts={key: me[key] for key in ("user", "role", "rights", "somewhere", "timezone")},
        next=["help"],
        holds="counts",
    )
