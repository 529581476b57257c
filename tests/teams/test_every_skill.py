"""Every skill answers in Teams, and odd lines come through its door; how all replies are drawn is held with Slack's."""

import random

from bot.skill import skills
from tests.mocks.teams import CHANNEL, personal
from tests.slack.test_every_skill import odd_lines
from tests.teams.office import TeamsOffice


def test_every_skill_answers_in_teams(office: TeamsOffice) -> None:
    office.says("run customers")
    for skill in skills():
        before = len(office.teams.messages)
        assert office.says(skill.example, channel=CHANNEL).text
        assert "A bug in Atlas" not in " ".join(m.text for m in office.teams.messages[before:]), skill.name
    assert office.teams.wrong == []


def test_odd_lines_come_through_the_door_of_teams(office: TeamsOffice) -> None:
    before = len(office.teams.messages)
    for number, line in enumerate(odd_lines(seed=random.randrange(10_000), count=120)):
        text = line.encode("utf-8", "replace").decode()
        user = f"odd-{number % 10}"
        value = {"text": None, "value": {"say": text}} if number % 3 == 0 else {"text": text}
        assert office.send({**office.teams.activity("x", user=user), **value}).status_code == 200, number
    office.says("whoami", user="odd-10")
    said = office.teams.messages[before:]
    assert {m.conversation for m in said} <= {personal(f"odd-{number}") for number in range(11)}
    assert not any("Traceback" in m.text or "A bug" in m.text for m in said)
    assert office.teams.wrong == []
