"""An Atlas whose bot works in a Teams and a Slack that are played: everything but the two is real."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from engine.store import access, links
from engine.store.links import Identity
from tests.mocks import slack as mock_slack
from tests.mocks import teams as mock
from tests.mocks.teams import KIM, Message, Teams
from tests.program import wait_for
from tests.slack.office import Office


class TeamsOffice:
    """The office, as people in Teams reach it; Kim is linked, an administrator, in Slack too."""

    def __init__(self, office: Office, teams: Teams) -> None:
        self.office, self.teams = office, teams
        self.link(KIM, "kim", "admin")

    @property
    def url(self) -> str:
        assert self.office.bot.web is not None
        return f"http://127.0.0.1:{self.office.bot.web.port}/teams/messages"

    def link(self, person: str, user: str, role: str) -> None:
        with self.office.atlas.home.database.write() as db:
            known = access.users_named(db, user)
            who = Identity("teams", mock.TENANT, person)
            links.link(db, who, known[0] if known else access.add_user(db, user, role), "root")

    def send(self, activity: dict[str, Any]) -> httpx.Response:
        return self.teams.send(self.url, activity)

    def says(self, text: str, *, seconds: float = 60, **where: Any) -> Message:
        """A message, to the bot alone unless a channel is given; the message that ends the answer."""
        return self.after(self.teams.activity(text, **where), seconds)

    def after(self, activity: dict[str, Any], seconds: float = 60) -> Message:
        """The first new message, when the bot has nothing more to do."""
        before = len(self.teams.messages)
        sent = self.send(activity)
        assert sent.status_code == 200, (sent.status_code, sent.text)
        assert wait_for(lambda: self.office.idle() and len(self.teams.messages) > before, seconds), self.teams.calls
        return self.teams.messages[before]

    def post(self, *given: Any, **more: Any) -> str:
        ref: str = self.office.run(lambda: self.office.bot.platform("teams").post(*given, **more))
        return ref

    def fetch(self, link: str) -> httpx.Response:
        """What the link shows, asked of the API itself."""
        path = link.removeprefix(mock.PUBLIC)

        async def asked() -> httpx.Response:
            return await self.office.bot.http.get(path, headers={"Authorization": ""})

        answer: httpx.Response = self.office.run(asked)
        return answer


@contextmanager
def open_teams_office(folder: Path, **more: str) -> Iterator[TeamsOffice]:
    with mock_slack.running() as slack, mock.running() as teams, at_work(folder, slack, teams, **more) as office:
        yield office


@contextmanager
def at_work(folder: Path, slack: mock_slack.Slack, teams: Teams, **more: str) -> Iterator[TeamsOffice]:
    """One bot after the other may work on a folder."""
    office = Office(folder, slack, **{**teams.settings, **more})
    office.start()
    try:
        yield TeamsOffice(office, teams)
    finally:
        office.stop()
