"""Where a table or column comes from."""

from bot.client import Answer, Atlas
from bot.grammar import quoted
from bot.reply import Attachment, Reply
from bot.skill import skill
from bot.words import one_line


@skill(
    "lineage {node}",
    right="read:lineage",
    help="where a table or column comes from",
    example="lineage revenue_by_country",
    holds="counts",
)
async def lineage(atlas: Atlas, node: str) -> Reply:
    return await told(atlas, node, "upstream", "impact")


async def told(atlas: Atlas, node: str, direction: str, other_way: str) -> Reply:
    """The lineage of a node in one direction, in words and as a picture."""
    answer: Answer = await atlas.explain(node, direction=direction)
    picture = await atlas.lineage_picture(node)
    return Reply(
        "\n".join(one_line(sentence) for sentence in answer["sentences"]),
        facts={key: answer[key] for key in ("node", "upstream", "downstream")},
        attachments=[Attachment("image", f"Lineage of {one_line(node)}", picture, f"lineage-{node}.png")],
        next=[f"{other_way} {quoted(node)}"],
        holds="counts",
    )
