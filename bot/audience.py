"""Who sees an answer: in a channel no more than the channel may see, the rest goes to the person alone."""

from collections.abc import Collection

from bot.reply import HOLDS, Reply

ALONE = "That answer went to whoever asked, alone: it may hold more than counts and scores."


def may_see(reply: Reply, place: str, channels_with_rows: Collection[str]) -> bool:
    """Whether a channel, `platform:tenant:channel`, may see a reply. What is about people, no channel may."""
    most = "rows" if place in channels_with_rows else "counts"
    return HOLDS.index(reply.holds) <= HOLDS.index(most)
