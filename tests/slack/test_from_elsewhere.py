"""A run that was started in Slack is watched and cancelled from the terminal, and Slack shows its end in place."""

import json
import re
from pathlib import Path

from tests.mocks.slack import CHANNEL
from tests.mocks.source import endless
from tests.program import HANGS, Program, wait_for
from tests.slack.office import open_office


def test_a_run_of_slack_is_watched_and_cancelled_from_the_terminal(tmp_path: Path) -> None:
    with endless() as source, open_office(tmp_path, **source.settings) as office:
        program = Program(tmp_path, **source.settings)  # the same home, from a terminal
        program.reads("people", source.source)
        assert office.send(office.slack.command("run people", channel=CHANNEL)).status_code == 200
        assert wait_for(lambda: bool(office.slack.messages))
        [message] = office.slack.messages
        found = re.search(r"Run #(\d+) of people", message.text)
        assert found
        watching = program.start("say", f"status {found[1]}", "--json")
        cancelling = program.start("say", f"cancel {found[1]}", "--json")
        watched, cancelled = (json.loads(process.communicate(timeout=HANGS)[0]) for process in (watching, cancelling))
        assert watched["facts"]["run"] == int(found[1])
        assert cancelled["ok"], cancelled["text"]
        assert wait_for(office.idle)
        assert f"Run #{found[1]} of people was cancelled" in message.text
        assert "[cancel]" not in message.text
        assert f"[retry {found[1]}]" in message.text
        assert office.slack.messages == [message]
        assert office.slack.wrong == []
