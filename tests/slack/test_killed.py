"""A bot that is killed between the acknowledgement and the answer loses nothing and does nothing twice."""

import random
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import httpx

from engine.store import access, links
from engine.store.database import Database
from engine.store.links import Identity
from tests.mocks import slack as mock
from tests.mocks.slack import CHANNEL, KIM, Slack
from tests.program import Program, end, wait_for
from tests.test_servers import free_port

PIPELINES = 6


def killed_and_restarted(folder: Path, slack: Slack, seed: int) -> list[str]:
    """What went wrong, in words: commands are sent until the kill, and each is done once after the next start."""
    chance = random.Random(seed)
    program = Program(
        folder, ATLAS_SLACK_BOT_TOKEN=mock.TOKEN, ATLAS_SLACK_SIGNING_SECRET=mock.SECRET,
        ATLAS_SLACK_API_URL=slack.url, ATLAS_BOT_LISTEN=f"127.0.0.1:{free_port()}",
    )  # fmt: skip
    for number in range(PIPELINES):
        program.pipeline(f"p{number}", "id,c\n" + "".join(f"{n},a\n" for n in range(20_000)))
    assert program.run("say", "status").returncode == 0  # the home is made
    known(program)
    listen, api = program.environment["ATLAS_BOT_LISTEN"], str(free_port())
    server = program.start("serve", "--port", api)
    assert wait_for(lambda: alive(listen))
    for number in range(PIPELINES):
        body = slack.command(f"run p{number}", channel=CHANNEL)
        assert mock.send(f"http://{listen}/slack/events", body).status_code == 200
        time.sleep(chance.uniform(0, 0.4))
    time.sleep(chance.uniform(0, 1.5))
    server.kill()
    server.communicate()
    server = program.start("serve", "--port", api)
    try:
        assert wait_for(lambda: done(slack) == PIPELINES and not left(program)), done(slack)
    finally:
        end(server)
    runs = Counter(name for (name,) in rows(program, "select pipeline from run"))
    wrong = [f"{name} ran {times} times" for name, times in runs.items() if times != 1]
    answers = Counter(m.body["metadata"]["event_payload"]["key"] for m in slack.messages)
    wrong += [f"an answer was posted {times} times" for times in answers.values() if times != 1]
    wrong += [f"{len(answers)} answers"] if len(answers) != PIPELINES else []
    return wrong + slack.wrong


def known(program: Program) -> None:
    database = Database(f"sqlite:///{program.home / 'atlas.db'}")
    with database.write() as db:
        links.link(db, Identity("slack", mock.TEAM, KIM), access.add_user(db, "kim", "operator"), "root")
    database.close()


def rows(program: Program, query: str) -> list[tuple[str]]:
    with closing(connect(f"file:{program.home / 'atlas.db'}?mode=ro", uri=True, timeout=10)) as db:
        return db.execute(query).fetchall()


def left(program: Program) -> bool:
    return bool(rows(program, "select 1 from inbox where done_at is null"))


def done(slack: Slack) -> int:
    return sum("Done in" in message.text for message in slack.messages)


def alive(listen: str) -> bool:
    try:
        return httpx.get(f"http://{listen}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_what_was_acknowledged_is_done_once_though_the_bot_is_killed(tmp_path: Path) -> None:
    with mock.running() as slack:
        assert killed_and_restarted(tmp_path, slack, random.randrange(1000)) == []
