"""From what Teams sends to what somebody said, and where."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from bot.inbox import Heard
from bot.platforms.teams.keys import CHANNEL

Body = Mapping[str, Any]
Place = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
SAY = "say"  # the key of a button's command


def tenants(body: Body) -> set[str]:
    """The tenants it is said to come from. Raises KeyError if it says none."""
    said = {(body.get("channelData") or {}).get("tenant", {}).get("id"), body["conversation"].get("tenantId")} - {None}
    if not said or not all(isinstance(name, str) and _ID.fullmatch(name) for name in said):
        raise KeyError("a tenant")
    return said


def place(body: Body) -> Place:
    """Where it was said; what can be posted to later. Raises KeyError."""
    conversation = body["conversation"]
    found = {
        "service": body["serviceUrl"], "conversation": conversation["id"], "bot": body["recipient"]["id"],
        "tenant": min(tenants(body)), "channel": conversation["id"].partition(";")[0],
        "private": conversation.get("conversationType") == "personal",
    }  # fmt: skip
    if body.get("channelId") != CHANNEL or not all(found[name] for name in ("conversation", "bot", "channel")):
        raise KeyError("a place")
    return found


def message(body: Body) -> Heard | None:
    """A message or a click: the command stands in the button, the rights are those of whoever clicks.

    None if nobody said it: another bot's message, or a form that is not ours. Raises KeyError.
    """
    sender, where = body["from"], place(body)
    if sender["id"].startswith("28:") or sender.get("role") == "bot":
        return None
    person = sender["aadObjectId"]
    if not (isinstance(person, str) and _ID.fullmatch(person) and isinstance(body["id"], str) and body["id"]):
        raise KeyError("an id")
    text = body.get("text")
    if not text and isinstance(body.get("value"), dict):
        text = body["value"].get(SAY)
    if not isinstance(text, str):
        return None
    where |= {"user": sender["id"], "person": person}
    said = hashlib.sha256("\n".join((CHANNEL, where["conversation"], body["id"])).encode()).hexdigest()
    name = where["tenant"]
    return Heard(f"teams:{name}:{said}", f"teams:{name}:{person}", _without_mention(text, body), where)


def joins(body: Body) -> bool:
    """Whether the bot was just added somewhere."""
    if body["type"] == "installationUpdate":
        return str(body.get("action", "")).startswith("add")
    added = body.get("membersAdded") or []
    return body["type"] == "conversationUpdate" and any(m["id"] == body["recipient"]["id"] for m in added)


def _without_mention(text: str, body: Body) -> str:
    """The text without the bot's own name, and with other people's as @name."""
    for entity in body.get("entities") or ():
        if not (isinstance(entity, dict) and entity.get("type") == "mention" and entity.get("text")):
            continue
        who = entity.get("mentioned") or {}
        own = who.get("id") == body["recipient"]["id"]
        text = text.replace(str(entity["text"]), " " if own else f" @{who.get('name') or ''} ")
    return text
