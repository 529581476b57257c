"""Any Reply is a card that Teams takes, and nothing in it acts."""

import json
import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bot.platforms.teams import cards
from bot.reply import Action, Attachment, Reply, Step, Table
from tests.mocks import cards as checks
from tests.mocks.teams import PUBLIC

LINK = f"{PUBLIC}/api/v1/files/"
NASTY = [
    "[click](https://evil.example)", "<at>Everyone</at>", "{{DATE(2026-01-01T00:00:00Z, SHORT)}}", "{{{{TIME(x)}}}}",
    "**bold** _italic_", "- list", "1. list", "\u202eright to left", "zero\u200bwidth", "`", "``", "a\tb\r\nc", "\0",
    "<script>alert(1)</script>", "${title}", "https://evil.example", "&lt;at&gt;", "\U0001f600" * 50, "\\" * 400,
    '"' * 400, "{" * 300,
]  # fmt: skip
LONG = st.builds(lambda piece, times: piece * times, st.sampled_from(NASTY), st.integers(1, 200))
MARKS = st.text("{}<>[]()`*_\u202e\u200b\n", max_size=40)
TEXT = st.one_of(st.text(max_size=200), st.sampled_from(NASTY), MARKS, LONG)
FILES = st.builds(Attachment, st.sampled_from(["image", "pdf", "file"]), TEXT, st.binary(max_size=20_000), TEXT)
CELLS = st.one_of(TEXT, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False))


def tables() -> st.SearchStrategy[Table]:
    def rows(width: int) -> st.SearchStrategy[Table]:
        row = st.lists(CELLS, min_size=width, max_size=width)
        names = st.lists(TEXT, min_size=width, max_size=width)
        return st.builds(lambda n, r, times: Table(n, r * times), names, st.lists(row, max_size=4), st.integers(1, 90))

    return st.integers(0, 9).flatmap(rows)


REPLIES = st.builds(
    Reply, TEXT, title=TEXT, table=st.none() | tables(),
    steps=st.lists(st.builds(Step, st.sampled_from(["Explore", "Chart"]), TEXT, st.just("done")), max_size=9),
    attachments=st.lists(FILES, max_size=9),
    next=st.lists(st.builds(Action, TEXT, TEXT), max_size=12), ok=st.booleans(), going=st.booleans(),
)  # fmt: skip


def sent(reply: Reply, link: str | None = LINK + "x" * 43) -> dict[str, Any]:
    message = cards.message(reply, [cards.File(file, link, "It is not there.") for file in cards.outside(reply)])
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": message["card"]}
    return {"summary": message["summary"], "attachments": [card]}


def mistakes(activity: dict[str, Any]) -> list[str]:
    return checks.mistakes(activity, len(json.dumps(activity)) + cards.ENVELOPE, (LINK,))


@settings(
    max_examples=100, deadline=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
)  # a card shrinks slowly
@given(REPLIES, st.booleans())
def test_any_reply_is_a_card_that_teams_takes(reply: Reply, with_links: bool) -> None:
    assert mistakes(sent(reply, LINK + "x" * 43 if with_links else None)) == []


def test_what_is_said_stands_in_the_card_as_it_is() -> None:
    said = "value is [click](https://evil.example) <at>Everyone</at> {{DATE(2026-01-01T00:00:00Z, SHORT)}} **x**"
    reply = Reply(said, title=said, table=Table(["a"], [[said[:55]]]), holds="counts")
    assert checks.read(sent(reply)["attachments"][0]["content"]).split("\n") == [said, said, "a", said[:55]]


def test_a_long_table_is_cut_with_how_many_more_and_a_file() -> None:
    reply = Reply(table=Table(["id", "name"], [[number, f"name {number}"] for number in range(1_000)]), holds="counts")
    (file,) = cards.outside(reply)
    text = checks.read(sent(reply)["attachments"][0]["content"])
    shown = sum("name " in line for line in text.split("\n"))
    assert f"… and {1_000 - shown:,} more" in text
    assert shown > 20
    assert file.content.decode("utf-8-sig").count("\n") == 1_001


def test_a_picture_stands_in_the_card_if_it_fits_and_else_behind_a_link() -> None:
    def urls(size: int) -> list[str]:
        picture = Attachment("image", "Lineage", random.Random(1).randbytes(size), "x.png")
        content = sent(Reply("x", attachments=[picture], holds="counts"))["attachments"][0]["content"]
        return [one["url"][:22] for one in checks.everything(content) if "url" in one]

    assert urls(9_000) == ["data:image/png;base64,"]
    assert urls(90_000) == [LINK[:22], LINK[:22]]


def test_a_file_without_a_link_is_told_and_why() -> None:
    reply = Reply("x", attachments=[Attachment("pdf", "GDPR report", b"%PDF", "x.pdf")], holds="counts")
    assert "GDPR report: It is not there." in checks.read(sent(reply, None)["attachments"][0]["content"])


def test_the_checks_find_what_acts() -> None:
    """What the tests above hold cards against does refuse."""
    good = sent(Reply("x", next=["status"], holds="counts"))
    assert mistakes(good) == []
    card = good["attachments"][0]["content"]
    for wrong in (
        {"type": "TextBlock", "text": "[x](https://evil.example)"},
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "{{DATE(2026-01-01T00:00:00Z)}}"}]},
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "zero\u200bwidth"}]},
        {"type": "Image", "url": "https://evil.example/x.png"},
        {"type": "Input.Text"},
        {
            "type": "ActionSet",
            "actions": [{"type": "Action.Submit", "title": "x", "data": {"say": "x", "role": "admin"}}],
        },
    ):
        changed = {**card, "body": [*card["body"], wrong]}
        assert mistakes({**good, "attachments": [{**good["attachments"][0], "content": changed}]}), wrong
    assert mistakes({**good, "text": "<at>Everyone</at>"})
    assert checks.mistakes(good, 28_001, (LINK,))
