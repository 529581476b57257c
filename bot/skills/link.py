"""A code that makes somebody in a chat a user here."""

from bot.client import Atlas
from bot.reply import Reply
from bot.skill import skill


@skill("link", right=None, help="connect this chat to your account", example="link", holds="subjects")
async def link(atlas: Atlas) -> Reply:
    """Whoever is linked already is told so; a new code would make no difference."""
    me = await atlas.me()
    if me["user"]:
        return Reply(f"You are {me['user']} here already.", facts={"user": me["user"]}, next=["whoami"], holds="counts")
    code = await atlas.link_code()
    minutes = code["seconds"] // 60
    return Reply(
        f"Your code is {code['code']}, for {minutes} minutes and for you alone.\n"
        f"Confirm it where Atlas knows you: atlas link {code['code']}\n"
        "Nobody lets you in by asking for a code: confirm none but your own.",
        facts={"code": code["code"], "seconds": code["seconds"]},
        next=["whoami"],
        holds="subjects",
    )
