"""What depends on a table or column."""

from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill
from bot.skills.lineage import told


@skill(
    "impact {node}",
    right="read:lineage",
    help="what depends on a table or column",
    example="impact customers.country",
    holds="counts",
)
async def impact(atlas: Atlas, node: str) -> Reply:
    return await told(atlas, node, "downstream", "lineage")
