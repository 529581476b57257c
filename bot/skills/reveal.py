"""See what a token stands for, alone and on the record."""

import re

from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill
from bot.words import listing, one_line


@skill(
    "reveal {token}",
    "reveal {token} because {because...}",
    right="reveal",
    help="the value behind a token; the audit log keeps that you asked",
    example="reveal t_75zxml4nsoplhl55ovweuoxjjm because she asked for her data",
    holds="subjects",
)
async def reveal(atlas: Atlas, token: str, because: str = "") -> Reply:
    if not re.fullmatch("t_[a-z2-7]{26}", token.casefold()):  # not repeated: it may be somebody's data
        return Reply(
            "That is no token. One is t_ and 26 letters and figures, as `show` shows it.", ok=False, holds="subjects"
        )
    told = await atlas.reveal(token.casefold(), because)
    return Reply(
        f"{told['token']} stands for {one_line(told['value'])}, in {listing(told['datasets'])}.\n"
        "Only you see this; that you asked is in the audit log.",
        facts=told,
        holds="subjects",
    )
