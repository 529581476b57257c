"""An office whose data hold canaries, and what everybody in a channel of Slack or Teams was sent of them."""

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from bot.client import Atlas
from bot.reply import Reply
from tests.mocks import slack as mock_slack
from tests.mocks import teams as mock_teams
from tests.program import wait_for
from tests.teams.office import TeamsOffice, open_teams_office

ATLAS = f"<@{mock_slack.BOT_USER}>"
ELSEWHERE = mock_slack.ELSEWHERE  # a channel of Slack that the bot is no member of
SLACK, TEAMS = mock_slack.CHANNEL, mock_teams.CHANNEL
PERSON, PLAIN, REJECTED = "Kirstine Ravnsborg", "kanariegul-8841", "Atlantis-kanarie-77"
EMAIL, SECOND, BECAUSE, TYPED = (
    "k.ravnsborg@canary.example",
    "Torben Kanariegaard",
    "kanarie-because-5512",
    "kanarie-x91",
)
LONE = "kanarie-lone-3307"  # stands in one row
OTHER = "kanarierosa-4410"  # in many rows, as PLAIN; no word in it is a name
PIPELINE = """name: birds
owner: crm-team
source: {connector: csv, path: birds.csv}
key: [id]
privacy: {purpose: Orders, legal_basis: contract, retention_days: 730, columns: {
  colour: keep, country: keep, email: tokenize}}
quality:
  completeness: [colour]
  validity: [{column: country, values: [Denmark, Sweden]}]
  reject_rows: [validity]
  minimum_score: 20
"""
REFUSED = """name: {name}
owner: {owner}
source: {{connector: csv, path: {name}.csv}}
privacy: {{columns: {{colour: keep}}}}
quality: {{completeness: [colour], minimum_score: 99}}
"""
MODELS = {
    "bird_rows": "-- Birds\nselect id, name, email, colour, notes from birds order by id\n",
    "bird_most": "-- The last colour\nselect max(colour) as last, count(*) as n from birds group by id order by 1\n",
    "bird_sums": "-- Cannot be built\nselect sum(cast(colour as integer)) as n from birds\n",
}


def write(folder: Path) -> None:
    """The pipelines: `birds` is published, `crows` (Slack) and `terns` (Teams) are refused, `gulls` fails."""
    pipelines = folder / "pipelines"
    (pipelines / "navigate").mkdir(parents=True)
    rows = ["id,name,email,colour,country,notes"]
    for number in range(60):
        who, mail = (PERSON, EMAIL) if number % 3 == 0 else (SECOND, f"t{number}@canary.example")
        colour = LONE if number == 7 else PLAIN if number % 2 else OTHER
        country = REJECTED if number < 14 and number != 7 else "Denmark"
        rows.append(f"{number},{who},{mail},{colour},{country},{who} rang om sagen i dag")
    (pipelines / "birds.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (pipelines / "birds.yml").write_text(PIPELINE, encoding="utf-8")
    for name, owner in (("crows", "slack-team"), ("terns", "teams-team")):
        (pipelines / f"{name}.yml").write_text(REFUSED.format(name=name, owner=owner), encoding="utf-8")
        lines = "".join(f"{n},{PLAIN if n % 2 else ''},{PERSON}\n" for n in range(40))
        (pipelines / f"{name}.csv").write_text(f"id,colour,name\n{lines}", encoding="utf-8")
    (pipelines / "gulls.yml").write_text(
        "name: gulls\nowner: slack-team\nsource: {connector: csv, path: gulls.csv}\n", encoding="utf-8"
    )
    (pipelines / "gulls.csv").write_bytes(f'id,name\n1,"{PERSON}\n{PLAIN}\xff'.encode("latin-1"))
    for name, sql in MODELS.items():
        (pipelines / "navigate" / f"{name}.sql").write_text(sql, encoding="utf-8")


class Talks:
    """Says things, and keeps apart what a channel was sent and what the person alone got."""

    def __init__(self, office: TeamsOffice) -> None:
        self.office, self.slack, self.teams = office, office.office.slack, office.teams
        self._given = self._messages = self._files = self._posts = 0
        self.canaries = {"person": PERSON, "second": SECOND, "email": EMAIL, "plain": PLAIN, "rejected": REJECTED,
                         "because": BECAUSE, "typed": TYPED, "lone": LONE, "other": OTHER}  # fmt: skip

    def run(self, line: str) -> Reply:
        """An answer as Kim would get it, before any platform draws it."""
        return self.replies(line)[-1]

    def replies(self, line: str) -> list[Reply]:
        """All that Kim would get, updates first."""

        async def ask() -> list[Reply]:
            bot = self.office.office.bot
            atlas = Atlas(bot.http, f"slack:{mock_slack.TEAM}:{mock_slack.KIM}", uuid4().hex)
            return [reply async for reply in bot.answers(line, ("slack", mock_slack.KIM), atlas)]

        office = self.office.office
        return asyncio.run_coroutine_threadsafe(ask(), office._loop).result(150)

    def prepare(self) -> None:
        for name in ("birds", "crows", "terns", "gulls"):
            self.run(f"run {name}")
        row = next(row for row in self.run("show bird_rows").facts["rows"] if row[0] == 15)
        self.canaries |= {"hash": str(row[1]), "token": str(row[2])}
        self.run(f"pii birds.country is not pii because {BECAUSE}")
        assert re.fullmatch("t_[a-z2-7]{26}", self.canaries["token"])
        assert PERSON not in self.canaries["hash"]

    def idle(self) -> bool:
        return self.office.office.idle()

    def forget(self) -> None:
        """What comes next is new."""
        self._given, self._messages = len(self.slack.given), len(self.slack.messages)
        self._files, self._posts = len(self.slack.files), len(self.teams.messages)

    def said(self) -> tuple[str, str]:
        """What the channels were sent since then, and what a person alone got."""
        channel, alone = [], []
        for method, given in self.slack.given[self._given :]:
            if method == "files.getUploadURLExternal":  # nobody sees it until it is shared, which is below
                continue
            where = given.get("channel") or given.get("channel_id") or ""
            public = method != "chat.postEphemeral" and not where.startswith("D")
            (channel if public else alone).append(_text(given))
        for message in self.slack.messages[self._messages :]:
            if "response_url" in message.body:  # no method of the Web API
                alike = [message.body, *message.edits]
                public = any(body.get("response_type") != "ephemeral" for body in alike)
                (channel if public else alone).append(_text(alike))
        for file in self.slack.files[self._files :]:
            told = f"{file.title} {file.name} {file.content.decode('latin-1')}"
            (alone if file.channel.startswith("D") else channel).append(told)
        for post in self.teams.messages[self._posts :]:
            public = not post.conversation.startswith("a:")
            (channel if public else alone).append(_text([post.body, *post.edits]))
        return "\n".join(channel), "\n".join(alone)

    def slack_message(self, body: str) -> None:
        before = len(self.slack.messages)
        assert self.office.office.send(body).status_code == 200
        assert wait_for(lambda: self.idle() and len(self.slack.messages) > before, 90)

    def teams_message(self, activity: dict[str, Any]) -> None:
        self.office.after(activity, 90)


def _text(value: Any) -> str:
    """All words, with the pictures inside as they are."""
    told = json.dumps(value, ensure_ascii=False)
    inside = [base64.b64decode(found).decode("latin-1") for found in re.findall(r"base64,([A-Za-z0-9+/=]+)", told)]
    return "\n".join([told, *inside])


WAYS: dict[str, Callable[[Talks, str], None]] = {
    "a mention in a channel of Slack": lambda t, line: t.slack_message(t.slack.event(f"{ATLAS} {line}")),
    "a command in a channel of Slack": lambda t, line: t.slack_message(t.slack.command(line, channel=SLACK)),
    "a command where the bot is no member": lambda t, line: t.slack_message(t.slack.command(line, channel=ELSEWHERE)),
    "a mention in a channel of Teams": lambda t, line: t.teams_message(t.teams.activity(line, channel=TEAMS)),
    "a thread in Teams": lambda t, line: t.teams_message(
        t.teams.activity(line, channel=TEAMS, thread=mock_teams.THREAD)
    ),
}  # fmt: skip


@contextmanager
def talks(folder: Path) -> Iterator[Talks]:
    write(folder)
    routes = f"slack-team=slack:{mock_slack.TEAM}:{SLACK},teams-team=teams:{mock_teams.TENANT}:{TEAMS}"
    more = {"ATLAS_ALERT_CHANNELS": routes, "ATLAS_ALERT_HOLD_SECONDS": "0"}
    with open_teams_office(folder, **more) as office:
        opened = Talks(office)
        office.says("whoami", channel=TEAMS)  # an alert needs to know where the channel is
        opened.prepare()
        yield opened
