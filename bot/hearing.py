"""The one opsdroid skill: every message goes to the bot, whose grammar knows what it means."""

from typing import Any

from opsdroid.matchers import match_regex

from bot.droid import Message


@match_regex(r"^(?P<said>[\s\S]*)$")
async def hear(_: Any, config: dict[str, Any], message: Message) -> None:
    await config["bot"].hear(message)
