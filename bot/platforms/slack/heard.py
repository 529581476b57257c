"""From what Slack sends to what somebody said, and where."""

from collections.abc import Mapping
from typing import Any

from bot.inbox import Heard

Body = Mapping[str, Any]


def command(body: Body) -> Heard:
    """`/atlas run customers`. Raises KeyError for what is no command."""
    place = {"channel": body["channel_id"], "user": body["user_id"], "answer_to": body.get("response_url")}
    return _heard(body["team_id"], body["trigger_id"], body["user_id"], body.get("text", ""), place)


def mention(body: Body) -> Heard:
    """`@atlas run customers`, answered in its thread. Raises KeyError."""
    event = body["event"]
    place = {"channel": event["channel"], "user": event["user"], "thread": event.get("thread_ts") or event["ts"]}
    return _heard(body["team_id"], body["event_id"], event["user"], event["text"], place)


def direct(body: Body) -> Heard | None:
    """A direct message; None for what only looks like one: edits, joins, other bots, other kinds of channel."""
    event = body["event"]
    if event.get("channel_type") != "im" or event.get("subtype") or event.get("bot_id") or "user" not in event:
        return None
    place = {"channel": event["channel"], "user": event["user"], "thread": event.get("thread_ts")}
    return _heard(body["team_id"], body["event_id"], event["user"], event.get("text", ""), place)


def button(body: Body) -> Heard:
    """A click: the command stands in the button, the rights are those of whoever clicks. Raises KeyError."""
    clicked, message, user = body["actions"][0], body.get("message") or {}, body["user"]["id"]
    channel = (body.get("channel") or {}).get("id") or (body.get("container") or {})["channel_id"]
    hidden = (body.get("container") or {}).get("is_ephemeral")
    thread = None if hidden or _private(channel) else message.get("thread_ts") or message.get("ts")
    place = {"channel": channel, "user": user, "thread": thread, "answer_to": body.get("response_url")}
    return _heard(body["team"]["id"], body["trigger_id"], user, clicked["value"], place)


def team(body: Body) -> str | None:
    """The workspace that it was sent for."""
    found = body.get("team_id") or (body.get("team") or {}).get("id")
    return str(found) if found else None


def teams_of_the_person(body: Body) -> set[str]:
    """The workspaces that whoever speaks is said to be of: in a shared channel it may be another company's."""
    event, user = body.get("event") or {}, body.get("user") or {}
    said = (event.get("team"), event.get("user_team"), event.get("source_team"), user.get("team_id"))
    return {str(name) for name in said if name}


def _private(channel: str) -> bool:
    return channel.startswith("D")


def _heard(team_id: str, said: str, user: str, text: str, place: dict[str, Any]) -> Heard:
    if not all(isinstance(word, str) and word for word in (team_id, said, user, place["channel"])):
        raise KeyError("an id is empty")
    place["private"] = _private(place["channel"])
    return Heard(f"slack:{team_id}:{said}", f"slack:{team_id}:{user}", str(text), place)
