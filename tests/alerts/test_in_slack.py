"""An alert comes into the channel of its owner by itself, is handled there by a click, and ends in place."""

from pathlib import Path

import pytest

from engine.store import alerts
from tests.mocks.slack import CHANNEL, TEAM, Message
from tests.program import wait_for
from tests.slack.office import CUSTOMERS, Office, open_office


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tmp_path / "pipelines" / "customers.csv"


def about(office: Office, number: int) -> list[Message]:
    """The messages in the channel that came by themselves."""
    return [m for m in office.slack.seen_by(CHANNEL) if m.text.startswith(f"*Alert #{number}: ") and not m.thread]


def test_a_failure_is_told_handled_and_over_in_one_message(tmp_path: Path, elsewhere: Path) -> None:
    routes = {"ATLAS_ALERT_CHANNELS": f"crm-team=slack:{TEAM}:{CHANNEL}", "ATLAS_ALERT_HOLD_SECONDS": "0"}
    with open_office(tmp_path, **routes) as office:
        elsewhere.unlink()
        assert "failed in Explore" in office.says("run customers").text
        assert wait_for(lambda: len(about(office, 1)) == 1)
        message = about(office, 1)[0]
        assert "customers failed in Explore" in message.text
        assert "There is no file" in message.text
        sent = office.send(office.slack.click("ack 1", message))
        assert sent.status_code == 200
        assert wait_for(lambda: "Acknowledged by kim." in message.text)
        elsewhere.write_text(CUSTOMERS, encoding="utf-8")
        assert "Done in" in office.says("run customers").text
        assert wait_for(lambda: "Closed today" in message.text)
        assert len(message.edits) <= 4
        with office.atlas.home.database.read() as db:
            assert [(a.state, a.changed_by) for a in alerts.listed(db, among=None, limit=9)] == [("closed", "kim")]
        assert office.slack.wrong == []
