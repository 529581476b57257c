"""What can be said, by this person."""

from bot.client import Atlas
from bot.grammar import short
from bot.reply import Reply, Table
from bot.skill import Skill, skill, skills
from bot.strangers import MAY_SAY


@skill("help [{topic...}]", right=None, help="what you can say", example="help run", holds="counts")
async def help(atlas: Atlas, topic: str | None = None) -> Reply:
    """With a topic, everything about one command."""
    if topic:
        return _about(topic)
    me = await atlas.me()
    known, rights = bool(me["user"]), {*me["rights"], *me["somewhere"]}
    mine = [s for s in skills() if (s.right is None or s.right in rights) and (known or s.name in MAY_SAY)]
    rows = [[pattern.usage, s.help if n == 0 else ""] for s in mine for n, pattern in enumerate(s.patterns)]
    others = len(skills()) - len(mine)
    more = f" {others} more need another role: whoami." if others else ""
    if not known:
        more = " Nobody here knows you yet; link changes that."
    return Reply(
        f"You can say:{more}",
        table=Table(["say", "to get"], rows),
        facts={"items": [{"usage": s.patterns[0].usage, "help": s.help, "example": s.example} for s in mine]},
        next=["pipelines", "datasets", "status"] if known else ["link"],
        holds="counts",
    )


def _about(topic: str) -> Reply:
    wanted = topic.casefold().split()
    found = [s for s in skills() if any(p.words[: len(wanted)] == wanted for p in s.patterns) or s.name == topic]
    if not found:
        near = [s for s in skills() if any(word in f"{s.help} {s.name}" for word in wanted)]
        if not near:
            return Reply(f"There is no command `{short(topic)}`.", next=["help"], ok=False, holds="subjects")
        found = near
    return Reply("\n".join(_told(s) for s in found), next=[s.example for s in found][:4], holds="counts")


def _told(of: Skill) -> str:
    ways = " or ".join(f"`{pattern.usage}`" for pattern in of.patterns)
    return f"{ways}: {of.help}. For example: `{of.example}`"
