"""One answer, drawn several times: nothing in data can act, hide or break a message on any platform."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.platforms.slack import blocks
from bot.reply import Action, Attachment, Reply, Step, Table
from tests.bot.drawings import DRAWINGS
from tests.mocks import blocks as slack

TRICKS = [
    "<!channel>", "<!here|x>", "<!subteam^S1>", "<@U0ADMIN>", "<#C1|general>", "<https://evil.example|click>",
    "<mailto:x>", "&lt;!channel&gt;", "&amp;", "&", "<", ">", "`", "``", "```", "```\n<!channel>", "*bold*",
    "_it_", "~s~", ":tada:",
    "https://evil.example/a?b=c", "www.evil.example", "@channel", "@everyone", "#general", "> quoted", "- a", "1. b",
    "\u202egnp.exe", "\u200b", "\u2066x\u2069", "a\u0301", "\ufeff", "\u3164", "\u2028", "\x00", "\x07", "\x1b[31m",
    "\r", "\n", "\t", "{{7*7}}", "${secret:X}", "'; drop table run --", "<script>alert(1)</script>",
    "[link](http://x)", "![x](http://x)",
    "\U0001f600", "æøå", "中文字" * 20, "\ud800", "=cmd|' /C calc'!A0", "x" * 4000, "<" * 3000, "&" * 700, "`" * 300,
]  # fmt: skip
words = st.lists(st.one_of(st.sampled_from(TRICKS), st.text(max_size=40)), max_size=12).map("".join)
cells = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), words)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = draw(st.lists(words, min_size=1, max_size=8))
    row = st.lists(cells, min_size=len(columns), max_size=len(columns))
    rows = draw(st.lists(row, max_size=8))
    return Table(columns, rows * draw(st.sampled_from([1, 1, 1, 60])))


steps = st.builds(Step, st.sampled_from(["Explore", "Chart"]), words, st.sampled_from(["running", "done", "failed"]))
replies = st.builds(
    Reply,
    text=words,
    title=words,
    steps=st.lists(steps, max_size=5),
    table=st.none() | tables(),
    next=st.lists(st.builds(Action, words, words), max_size=40),
    ok=st.booleans(),
    going=st.booleans(),
)


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.parametrize("platform", DRAWINGS)
@settings(max_examples=25, deadline=None, suppress_health_check=SLOW)  # more of them in the long form below
@given(reply=replies)
@example(
    reply=Reply("".join(TRICKS), title="".join(TRICKS), table=Table(TRICKS, [TRICKS] * 30), next=TRICKS, holds="counts")
)
@example(reply=Reply("\n".join(["`" + "<&>" * 900 + "`"] * 400), holds="counts"))
@example(reply=Reply(table=Table(["a"], [["<" * 5000]] * 500), holds="counts"))
@example(reply=Reply(table=Table([f"c{n}" for n in range(400)], [["x" * 60] * 400] * 3), holds="counts"))
def test_nothing_in_data_acts_hides_or_breaks_a_message(platform: str, reply: Reply) -> None:
    assert DRAWINGS[platform](reply) == []


@pytest.mark.long
@pytest.mark.parametrize("platform", DRAWINGS)
@settings(max_examples=250, deadline=None, suppress_health_check=SLOW)
@given(reply=replies)
def test_nor_in_ten_times_as_many_answers(platform: str, reply: Reply) -> None:
    """In `make test-long`."""
    assert DRAWINGS[platform](reply) == []


def test_names_in_backticks_are_code_and_a_lone_backtick_is_none() -> None:
    body = blocks.message(Reply("There is no `cust<omers>`. It`s so.", holds="counts")).body
    assert body["blocks"][0]["text"]["text"] == "There is no `cust&lt;omers&gt;`. It's so."


def test_a_long_text_is_cut_and_comes_whole_as_a_file() -> None:
    drawn = blocks.message(
        Reply("\n".join(f"{n}. a cause that is told at some length" for n in range(500)), holds="counts")
    )
    assert "more lines" in slack.read(drawn.body["blocks"])
    assert drawn.files[0].content.count(b"\n") == 499


def test_a_button_says_its_command_and_a_command_too_long_for_one_has_none() -> None:
    body = blocks.message(
        Reply("x", next=["run customers", "show " + "x" * 3000, Action("cancel 12", "cancel")], holds="counts")
    ).body
    buttons = body["blocks"][-1]["elements"]
    assert [(b["text"]["text"], b["value"]) for b in buttons] == [
        ("run customers", "run customers"),
        ("cancel", "cancel 12"),
    ]


def test_what_would_break_a_message_is_found() -> None:
    """The checks themselves: each of these is a mistake."""
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x", "verbatim": True}}

    def wrong(text: str, **more: object) -> list[str]:
        return slack.mistakes({"text": "x", "blocks": [{**section, "text": {**section["text"], "text": text, **more}}]})  # type: ignore[dict-item]

    assert wrong("x") == []
    for text in ("<!channel>", "a & b", "x" * 3001, "\u200b", "``` x", "```a```b```"):
        assert wrong(text), text
    assert wrong("x", verbatim=False)
    assert slack.mistakes({"text": "x", "blocks": [section] * 51})
    assert slack.mistakes({"text": "", "blocks": [section]})
    assert slack.mistakes({"text": "x", "blocks": [section], "unfurl_links": True})
    button = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "x"}, "value": "x"}
    assert slack.mistakes({"text": "x", "blocks": [{"type": "actions", "elements": [button, button]}]})
    assert slack.mistakes({"text": "x", "blocks": [{"type": "actions", "elements": [{**button, "value": "x" * 2001}]}]})
    long = [{**section, "text": {**section["text"], "text": "x" * 2900}}] * 5  # type: ignore[dict-item]
    assert slack.mistakes({"text": "x", "blocks": long})


def test_an_answer_without_words_still_says_something() -> None:
    for platform, mistakes in DRAWINGS.items():
        assert mistakes(Reply(attachments=[Attachment("image", "x", b"x", "x.png")], holds="counts")) == [], platform
