"""A Slack that is busy, slow or broken gets each message once; what cannot be posted says why."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from bot.platforms.slack import blocks
from bot.platforms.slack.calls import Calls
from bot.platforms.slack.post import Poster
from bot.posting import CannotPost
from bot.reply import Attachment, Reply, Table
from tests.mocks import slack as mock
from tests.mocks.slack import CHANNEL, KIM, Slack

Talk = Callable[[Poster], Awaitable[Any]]


@pytest.fixture
def slack() -> Iterator[Slack]:
    with mock.running() as made:
        yield made
    assert made.wrong == []


def talk(slack: Slack, talking: Talk) -> Any:
    async def go() -> Any:
        poster = Poster(Calls(mock.TOKEN, slack.url), slack.url)
        try:
            return await talking(poster)
        finally:
            await poster.close()

    return asyncio.run(go())


def post(poster: Poster, text: str = "hello", *, ref: str | None = None, key: str = "k", **more: Any) -> Any:
    return poster.post(CHANNEL, Reply(text, holds="counts"), ref=ref, key=key, **more)


def test_what_slack_limits_is_sent_when_slack_says_so(slack: Slack) -> None:
    slack.trouble("chat.postMessage", status=429, headers={"Retry-After": "1"})
    begun = time.monotonic()
    talk(slack, post)
    assert time.monotonic() - begun >= 1.0
    assert [m.text for m in slack.messages] == ["hello"]


def test_a_slack_that_breaks_is_tried_again(slack: Slack) -> None:
    slack.trouble("chat.postMessage", status=503)
    slack.trouble("chat.postMessage", error="internal_error")
    talk(slack, post)
    assert [m.text for m in slack.messages] == ["hello"]


def test_what_was_posted_though_the_answer_was_lost_is_not_posted_again(slack: Slack) -> None:
    slack.trouble("chat.postMessage", status=502, after=True)
    ref = talk(slack, post)
    assert [m.ts for m in slack.messages] == [json.loads(ref)["ts"]]


def test_a_slack_that_never_answers_well_is_told_as_such_and_may_be_tried_later(slack: Slack) -> None:
    slack.trouble("chat.postMessage", status=500, times=99)
    with pytest.raises(CannotPost) as failed:
        talk(slack, post)
    assert (failed.value.reason, failed.value.retry) == ("internal_error", True)
    assert slack.calls["chat.postMessage"] == 5


@pytest.mark.parametrize(
    ("error", "retry"),
    [("token_expired", True), ("missing_scope", True), ("is_archived", False), ("invalid_blocks", False)],
)
def test_an_error_says_whether_it_may_be_tried_later(slack: Slack, error: str, retry: bool) -> None:
    slack.trouble("chat.postMessage", error=error)
    with pytest.raises(CannotPost) as failed:
        talk(slack, post)
    assert (failed.value.reason, failed.value.retry) == (error, retry)
    assert slack.calls["chat.postMessage"] == 1


def test_the_same_key_is_posted_once_whoever_asks(slack: Slack) -> None:
    async def twice(poster: Poster) -> tuple[str, str]:
        return await post(poster, look=True), await post(poster, "again", look=True)

    first, second = talk(slack, twice)
    assert first == second
    assert [m.text for m in slack.messages] == ["again"]
    other = talk(slack, lambda poster: post(poster, "third", look=True))  # a bot that starts anew
    assert other == first
    talk(slack, lambda poster: post(poster, "another", key="other", look=True))
    assert [m.text for m in slack.messages] == ["third", "another"]


def test_the_same_key_in_a_thread_is_posted_once(slack: Slack) -> None:
    for text in ("one", "two"):
        talk(slack, lambda poster, text=text: post(poster, text, look=True, thread="1700000000.000100"))
    assert [(m.text, m.thread) for m in slack.messages] == [("two", "1700000000.000100")]


def test_a_person_is_posted_to_by_id_and_once(slack: Slack) -> None:
    async def go(poster: Poster) -> list[str]:
        return [await poster.post(KIM, Reply("hello", holds="counts"), ref=None, key="k", look=True) for _ in range(2)]

    first, second = talk(slack, go)
    assert first == second
    assert [m.channel for m in slack.messages] == [slack.direct()]


def test_a_message_is_edited_at_most_once_a_second_and_ends_as_the_last_one(slack: Slack) -> None:
    async def go(poster: Poster) -> None:
        ref = None
        for number in range(4):
            ref = await post(poster, str(number), ref=ref)

    talk(slack, go)
    [message] = slack.messages
    assert (message.text, len(message.edits)) == ("3", 3)
    assert all(later - earlier >= 0.95 for earlier, later in zip(message.times, message.times[1:], strict=False))


def test_a_message_that_somebody_deleted_is_posted_anew(slack: Slack) -> None:
    gone = json.dumps({"channel": CHANNEL, "ts": "1600000000.000001"})
    talk(slack, lambda poster: post(poster, ref=gone))
    assert [m.text for m in slack.messages] == ["hello"]


def test_a_file_that_is_there_is_not_sent_again(slack: Slack) -> None:
    file = Attachment("image", "A picture", b"\x89PNG", "picture.png")

    async def go(poster: Poster) -> None:
        for _ in range(2):
            await poster.file(CHANNEL, file, None, look=True)

    talk(slack, go)
    assert [(f.name, f.content) for f in slack.files] == [("picture.png", b"\x89PNG")]


def test_a_file_goes_through_though_slack_is_busy(slack: Slack) -> None:
    slack.trouble("files.getUploadURLExternal", status=429, headers={"Retry-After": "1"})
    file = Attachment("pdf", "A report", b"%PDF", "report.pdf")
    talk(slack, lambda poster: poster.file(CHANNEL, file, "1700000000.000100", look=False))
    assert [(f.name, f.thread) for f in slack.files] == [("report.pdf", "1700000000.000100")]


def test_an_address_to_answer_to_that_is_not_slacks_is_not_called(slack: Slack) -> None:
    for url in ("https://evil.example/commands/1", "http://hooks.slack.com/x", "https://hooks.slack.com.evil.example/"):
        with pytest.raises(CannotPost, match="not Slack's"):
            talk(slack, lambda poster, url=url: poster.answer_to(url, Reply("hello", holds="counts"), replace=False))


def test_a_long_table_is_cut_and_comes_whole_as_a_file(slack: Slack) -> None:
    rows = [[number, f"name {number}", "=1+1"] for number in range(1, 301)]
    drawn = blocks.message(Reply("300 rows.", table=Table(["id", "name", "sum"], rows), holds="counts"))
    text = mock.blocks.read(drawn.body["blocks"])
    shown = len(re.findall(r"name \d+", text))
    assert f"… and {300 - shown} more" in text
    assert mock.blocks.mistakes(drawn.body) == []
    whole = drawn.files[0].content.decode("utf-8-sig").splitlines()
    assert (len(whole), whole[1]) == (301, '1,"name 1","\'=1+1"')
