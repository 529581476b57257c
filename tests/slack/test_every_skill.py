"""Every skill's answers, real ones, drawn on every platform and posted in Slack; and a thousand odd lines."""

import random

import pytest

from bot.reply import Reply
from bot.skill import skills
from tests.bot.drawings import DRAWINGS
from tests.mocks.slack import CHANNEL, KIM, TEAM
from tests.slack.office import Office

MORE = (
    "help run", "run customers --full", "status", "status customers", "runs", "quality customers trend",
    "why customers",
    "pii customers.name", "pii customers.f3 is not pii because it is a code", "impact customers.country",
    "lineage customers.name", "schedule customers \"0 6 * * *\"", "schedules", "unschedule customers", "gdpr report",
    "cancel", "run", "show", "run custmers", "cancel 999", "xyzzy", "", "   ", "yes", "show nothing",
    "lineage nothing.x",
)  # fmt: skip


def replies(office: Office, line: str, key: str) -> list[Reply]:
    """All that is answered to a line, as Kim hears it."""

    async def ask() -> list[Reply]:
        from bot.client import Atlas

        atlas = Atlas(office.bot.http, f"slack:{TEAM}:{KIM}", key)
        return [reply async for reply in office.bot.answers(line, ("slack", KIM), atlas)]

    found: list[Reply] = office.run(ask)
    return found


def test_every_skill_is_drawn_on_every_platform(office: Office) -> None:
    lines = ["run customers", *(skill.example for skill in skills()), *MORE]
    asked, wrong = 0, []
    for number, line in enumerate(lines):
        for reply in replies(office, line, f"every-{number}"):
            asked += 1
            wrong += [f"{line} in {name}: {what}" for name, draw in DRAWINGS.items() for what in draw(reply)]
    assert wrong == []
    assert asked > len(skills())


@pytest.mark.parametrize("skill", skills(), ids=lambda skill: skill.name)
def test_every_skill_answers_in_slack(office: Office, skill: object) -> None:
    before = len(office.slack.messages)
    answer = office.says(skill.example, channel=CHANNEL)  # type: ignore[attr-defined]
    assert answer.text
    assert "A bug in Atlas" not in " ".join(m.text for m in office.slack.messages[before:])
    assert office.slack.wrong == []


def odd_lines(seed: int, count: int) -> list[str]:
    """Lines that nobody should type: every kind of character, markup, SQL, templates, commands cut and joined."""
    chance = random.Random(seed)
    pieces = [
        "run customers", "show revenue_by_country", "gdpr erase email=a@b.dk", "help", "<!channel>", "<@U1>",
        "<#C1|x>",
        "'; DROP TABLE run; --", "{{7*7}}", "${secret:X}", "%s%n", "../../etc/passwd", "<script>", "```", "`", "\x00",
        "\x1b[2J", "\r\n", "\t", "\u202e", "\u200b", "\ufeff", "æøå", "中文", "\U0001f600", "\ud83d",
        "a\u0301" * 5, '"', "'",
        "&lt;!here&gt;", "https://evil.example", "--full", "--", "12", "#12", "99999999999999999999", "-1", "NaN",
        "null",
        "because", "is", "*", "_", "~", "=1+1", "\\", "/", "|", "x" * 400,
    ]  # fmt: skip
    lines = []
    for _ in range(count):
        kind = chance.random()
        if kind < 0.02:
            lines.append(chance.choice(pieces) * (40_000 // 8))
        elif kind < 0.3:
            lines.append("".join(chr(chance.randrange(0x20, 0x3000)) for _ in range(chance.randrange(1, 80))))
        elif kind < 0.4:
            lines.append("".join(chr(chance.randrange(0, 0x20)) for _ in range(chance.randrange(1, 30))))
        else:
            lines.append(" ".join(chance.choice(pieces) for _ in range(chance.randrange(1, 6))))
    return [line[:40_000] for line in lines]


def test_a_thousand_odd_lines_break_nothing(office: Office) -> None:
    """Most of them straight to the bot, which is what every platform does with them; some through Slack's door."""
    lines = odd_lines(seed=random.randrange(10_000), count=1000)
    wrong = []
    for number, line in enumerate(lines):
        if line.strip().startswith(("run ", "pii ", "gdpr report")):
            line = line.replace("run ", "status ", 1)  # a thousand runs take their time, and prove nothing here
        for reply in replies(office, line, f"odd-{number}"):
            said = f"{reply.text} {reply.title}"
            if "A bug in Atlas" in said or "Traceback" in said:
                wrong.append(f"{number}: {said[:80]}")
            wrong += [f"{number} in {name}: {what}" for name, draw in DRAWINGS.items()
                      for what in draw(reply)]  # fmt: skip
    assert wrong == []


def test_odd_lines_come_through_slacks_door(office: Office) -> None:
    before = len(office.slack.messages)
    for number, line in enumerate(odd_lines(seed=random.randrange(10_000), count=120)):
        text = line.encode("utf-8", "replace").decode()
        user = f"U0ODD{number % 10}"
        sent = office.send(
            office.slack.command(text, user=user, channel=office.slack.direct(user))
            if number % 2
            else office.slack.event(text, kind="message", user=user, channel=office.slack.direct(user))
        )
        assert sent.status_code == 200, number
    office.answer(before)
    assert office.slack.wrong == []
    assert not any("Traceback" in m.text or "A bug" in m.text for m in office.slack.messages[before:])
