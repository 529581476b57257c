"""Alerts come by themselves, once in each place, whatever happens to the bot that posts them."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from api.main import create_app
from core.settings import load
from engine.home import Home, open_home
from engine.store import access, notices
from engine.store.tables import Alert, Notice
from tests.alerts import bot_process
from tests.alerts.conftest import Team
from tests.api.live import live
from tests.mocks import slack as mock
from tests.mocks.slack import CHANNEL, Message, Slack
from tests.program import wait_for

SEEDS = 20


class Place:
    """An installation, a Slack, and bots between them that can be killed."""

    def __init__(self, home: Home, slack: Slack, api: str) -> None:
        self.home, self.slack, self.api, self.team = home, slack, api, Team(home)
        with home.database.write() as db:
            admin = access.add_user(db, "root", "admin")
            self.token = access.issue(db, admin, 3600, scopes=["speak-for"])
        self.unsaid = 0  # kills between the post and the word that it was posted

    def bot(self) -> "bot_process.BaseProcess":
        return bot_process.start(self.api, self.token, self.slack.url)

    def kill(self, bot: "bot_process.BaseProcess") -> None:
        bot.kill()
        bot.join(10)
        posted = sum(self.of(title) != [] for title in self._unreported())
        self.unsaid += posted

    def _unreported(self) -> list[str]:
        query = select(Alert.title).join(Notice, Notice.alert_id == Alert.id).where(Notice.shown == 0)
        with self.home.database.read() as db:
            return list(db.scalars(query))

    def of(self, title: str) -> list[Message]:
        """The messages that were posted about an alert."""
        return [m for m in self.slack.messages if f": {title}" in m.text]

    def all_is_said(self) -> bool:
        with self.home.database.read() as db:
            return not db.scalars(select(Notice.id).where(Notice.due_at.is_not(None))).all()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("posting")
    (folder / "pipelines").mkdir()
    home = open_home(
        load(
            {
                "ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(folder / "pipelines"),
                "ATLAS_ALERT_CHANNELS": f"*=slack:T1:{CHANNEL}", "ATLAS_ALERT_HOLD_SECONDS": "0.1",
                "ATLAS_LEASE_SECONDS": "3", "ATLAS_LIMIT_PER_TOKEN": "1000000/minute",
                "ATLAS_LIMIT_PER_ADDRESS": "1000000/minute",
            }
        )
    )  # fmt: skip
    with mock.running() as slack, live(create_app(home, lambda: None), home.settings) as api:
        yield Place(home, slack, api.url)
    home.database.close()


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(n, marks=pytest.mark.long) for n in range(3, SEEDS))])
def test_a_bot_that_is_killed_in_the_middle_sends_nothing_twice_and_loses_nothing(place: Place, seed: int) -> None:
    """It is killed the moment a message has arrived, or at any other, and an effect may show before its cause."""
    chance, team = random.Random(seed), place.team
    above, below, beside = (team.pipeline(f"{name}{seed}") for name in ("above", "below", "beside"))
    team.pipeline(below, above)
    changes = chance.sample([above, below, beside, above, above, below], 6)
    place.slack.trouble("chat.postMessage", status=chance.choice((200, 503)), after=True, seconds=chance.random() / 5)
    bot = place.bot()
    for nth, name in enumerate(changes):
        before = len(place.slack.messages)
        team.suffers(name)
        if nth % 2 == 0:
            if chance.random() < 0.7:
                wait_for(lambda before=before: len(place.slack.messages) > before, chance.random() * 2)  # type: ignore[misc]
            else:
                time.sleep(chance.random() / 3)
            place.kill(bot)
            bot = place.bot()
    team.ends(beside, "succeeded")
    assert wait_for(place.all_is_said)
    place.kill(bot)
    (of_above,), (of_beside,) = (place.of(f"{name} failed in Explore") for name in (above, beside))
    of_below = place.of(f"The score of {below} is too low")
    assert len(of_below) <= (changes.index(below) < changes.index(above))  # otherwise only the cause is reported
    assert all(f"Caused by alert #{number(place, above)}." in message.text for message in of_below)
    assert "Seen 3 times" in of_above.text
    assert f"It has caused: #{number(place, below)} The score of {below} is too low." in of_above.text
    assert f"because {beside} runs again" in of_beside.text
    if seed == SEEDS - 1:
        assert place.unsaid > 0  # else nothing was killed where it matters


def test_five_hundred_failures_over_forty_datasets_are_one_message(place: Place) -> None:
    """The bot posts meanwhile, and is killed again and again."""
    chance, team = random.Random(7), place.team
    names = team.graph(chance, 40)
    order = [*names, *chance.choices(names, k=460)]
    before, bot = len(place.slack.messages), place.bot()
    for nth, name in enumerate(order):
        team.suffers(name)
        if nth % 100 == 99:
            place.kill(bot)
            bot = place.bot()
    assert wait_for(place.all_is_said)
    place.kill(bot)
    (posted,) = place.slack.messages[before:]
    assert posted.text.splitlines()[0] == f"*Alert #{number(place, 'd0')}: d0 failed in Explore*"
    assert f"Seen {order.count('d0')} times" in posted.text
    told, _, more = posted.text.partition("It has caused: ")[2].partition(".")[0].rpartition(" and ")
    first = [f"The score of d{n} is too low" for n in range(1, 9)]
    assert [one.partition(" ")[2] for one in told.split(", ")] == first
    assert more == "31 more"  # 39 in all


def number(place: Place, dataset: str) -> int:
    with place.home.database.read() as db:
        return db.scalars(select(Alert.id).where(Alert.dataset == dataset)).one()


def test_a_channel_that_the_bot_is_not_in_is_told_by_readyz_and_nothing_is_lost(place: Place) -> None:
    place.slack.trouble("chat.postMessage", error="channel_not_found", times=1)
    place.team.ends(place.team.pipeline("elsewhere"))
    bot = place.bot()
    failing = lambda: _waiting(place)[2] == 1  # noqa: E731
    assert wait_for(failing)
    assert wait_for(place.all_is_said)
    place.kill(bot)
    assert _waiting(place) == (0, 0.0, 0)
    assert len(place.of("elsewhere failed in Explore")) == 1


def _waiting(place: Place) -> tuple[int, float, int]:
    with place.home.database.read() as db:
        return notices.waiting(db, datetime.now(UTC))
