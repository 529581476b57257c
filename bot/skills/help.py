"""What can be said, by this person."""

import contextlib
import re
from collections.abc import Mapping

from bot.client import Atlas, AtlasProblem
from bot.grammar import short
from bot.reply import Reply, Table
from bot.skill import Skill, skill, skills
from bot.strangers import MAY_SAY

# names used in examples, unless the installation has others
OF_DATASETS, OF_MODELS = "customers", "revenue_by_country"


@skill("help [{topic...}]", right=None, help="what you can say", example="help run", holds="counts")
async def help(atlas: Atlas, topic: str | None = None) -> Reply:
    """With a topic, everything about one command."""
    me = await atlas.me()
    known, rights = bool(me["user"]), {*me["rights"], *me["somewhere"]}
    if topic:
        return _about(topic, await _names(atlas) if known else {})
    mine = [s for s in skills() if (s.right is None or s.right in rights) and (known or s.name in MAY_SAY)]
    others = len(skills()) - len(mine)
    more = f" {others} more need another role: whoami." if others else ""
    if not known:
        more = " Nobody here knows you yet; link changes that."
    return Reply(
        f"You can say, and help COMMAND tells more:{more}",
        table=Table(["say", "to get"], [[s.patterns[0].usage, s.help] for s in mine]),
        facts={"items": [{"usage": s.patterns[0].usage, "help": s.help, "example": s.example} for s in mine]},
        next=["pipelines", "datasets", "status"] if known else ["link"],
        holds="counts",
    )


async def _names(atlas: Atlas) -> dict[str, str]:
    """What is there in place of what the examples are of."""
    with contextlib.suppress(AtlasProblem):  # examples are shown to those who may see no lists, too
        pipelines = [item["name"] for item in (await atlas.pipelines())["items"]]
        models = [item["dataset"] for item in (await atlas.datasets())["items"] if item["kind"] == "model"]
        return {
            wanted: there[0]
            for wanted, there in ((OF_DATASETS, pipelines), (OF_MODELS, models))
            if there and wanted not in there
        }
    return {}


def _about(topic: str, names: Mapping[str, str]) -> Reply:
    wanted = topic.casefold().split()
    found = [s for s in skills() if any(p.words[: len(wanted)] == wanted for p in s.patterns) or s.name == topic]
    if not found:
        near = [s for s in skills() if any(word in f"{s.help} {s.name}" for word in wanted)]
        if not near:
            return Reply(f"There is no command `{short(topic)}`.", next=["help"], ok=False, holds="subjects")
        found = near
    examples = {s.name: _example(s, names) for s in found}
    said = [example for example in examples.values() if not re.search("[0-9]", example)]  # 12 may be no run
    return Reply("\n".join(_told(s, examples[s.name]) for s in found), next=said[:4], holds="counts")


def _example(of: Skill, names: Mapping[str, str]) -> str:
    example = of.example
    for wanted, there in names.items():
        example = re.sub(rf"\b{wanted}\b", there, example)
    return example


def _told(of: Skill, example: str) -> str:
    ways = " or ".join(f"`{pattern.usage}`" for pattern in of.patterns)
    return f"{ways}: {of.help}. For example: `{example}`"
