"""What people may say whom nobody here knows, and what everything else they say is answered with."""

from bot.reply import Reply

MAY_SAY = ("help", "link")


def unknown() -> Reply:
    return Reply(
        "Nobody here knows you yet. Say link to change that.",
        facts={"user": None},
        next=["link", "help"],
        ok=False,
        holds="counts",
    )
