"""Socket Mode: Slack need not reach this machine, and no port is opened."""

import json
from pathlib import Path
from urllib.parse import parse_qsl

from tests.mocks import slack as mock
from tests.mocks.slack import APP_TOKEN, BOT_USER
from tests.program import wait_for
from tests.slack.office import Office


def test_commands_mentions_and_clicks_come_through_a_socket(tmp_path: Path) -> None:
    with mock.running() as slack:
        office = Office(tmp_path, slack, ATLAS_SLACK_SIGNING_SECRET=None, ATLAS_SLACK_APP_TOKEN=APP_TOKEN)
        office.start()
        try:
            assert office.bot.web is None
            assert wait_for(lambda: bool(slack.sockets))
            assert "customers" in told(office, "slash_commands", dict(parse_qsl(slack.command("pipelines"))))
            mention = json.loads(slack.event(f"<@{BOT_USER}> pipelines"))
            assert "customers" in told(office, "events_api", mention)
            clicked = json.loads(dict(parse_qsl(slack.click("status", slack.messages[0])))["payload"])
            assert "run yet" in told(office, "interactive", clicked)
            assert len(slack.acks) == 3
            stranger = json.loads(slack.event("pipelines", team="T0OTHER"))
            office.push("events_api", stranger)
            assert not wait_for(lambda: len(slack.acks) > 3 or len(slack.messages) > 3, 1)
        finally:
            office.stop()
        assert slack.wrong == []


def told(office: Office, kind: str, payload: object) -> str:
    before = len(office.slack.messages)
    office.envelope(kind, payload)
    return office.answer(before).text
