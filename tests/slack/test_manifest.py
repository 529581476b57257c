"""The app asks for what it uses, and for nothing else."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent.parent
SLACK = ROOT / "bot" / "platforms" / "slack"
# what each method and event asks for, from Slack's reference; those that need no scope have none
METHODS: dict[str, set[str]] = {
    "auth.test": set(),
    "chat.postMessage": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.open": {"im:write"},
    "conversations.history": {"channels:history", "groups:history", "im:history"},
    "conversations.replies": {"channels:history", "groups:history", "im:history"},
    "files.getUploadURLExternal": {"files:write"},
    "files.completeUploadExternal": {"files:write"},
}
EVENTS = {"app_mention": {"app_mentions:read"}, "message.im": {"im:history"}}


def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load((ROOT / "deploy" / "slack-manifest.yml").read_text("utf-8"))
    return loaded


def used() -> set[str]:
    """The methods that stand in the code."""
    code = "\n".join(path.read_text("utf-8") for path in SLACK.glob("*.py"))
    return set(re.findall(r'"((?:auth|chat|conversations|files|users|reactions|views)\.[A-Za-z.]+)"', code))


def test_the_scopes_are_those_of_the_methods_used_and_of_the_events_heard() -> None:
    wanted = {"commands"}.union(*(METHODS[method] for method in used()))
    wanted = wanted.union(*(EVENTS[event] for event in manifest()["settings"]["event_subscriptions"]["bot_events"]))
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == wanted
    assert used() == set(METHODS)


def test_everything_comes_to_the_one_door() -> None:
    made = manifest()
    doors = [
        made["settings"]["event_subscriptions"]["request_url"], made["settings"]["interactivity"]["request_url"],
        *(command["url"] for command in made["features"]["slash_commands"]),
    ]  # fmt: skip
    assert {door.removeprefix("https://atlas.example.com") for door in doors} == {"/slack/events"}
    assert [command["command"] for command in made["features"]["slash_commands"]] == ["/atlas"]
