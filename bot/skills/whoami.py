"""Who one is to Atlas, and what one may do."""

from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill
from bot.words import listing

MAY = {
    "read:runs": "see runs", "read:catalog": "see pipelines and datasets", "read:quality": "see quality",
    "read:lineage": "see lineage", "run": "start and cancel runs", "read:models": "see tables",
    "read:pii": "see what was found personal", "read:dead-letters": "see what was rejected",
    "read:gdpr": "make GDPR reports", "admin": "let people in",
}  # fmt: skip


@skill("whoami", right=None, help="who you are here and what you may do", example="whoami")
async def whoami(atlas: Atlas) -> Reply:
    me = await atlas.me()
    may = listing([MAY.get(right, right) for right in sorted(me["rights"], key=lambda r: list(MAY).index(r)
                   if r in MAY else len(MAY))], most=20)  # fmt: skip
    return Reply(
        f"You are {me['user']}, {me['role']}. You may {may}.\nTimes are told in {me['timezone']}.",
        facts={key: me[key] for key in ("user", "role", "rights", "timezone")},
        next=["help"],
    )
