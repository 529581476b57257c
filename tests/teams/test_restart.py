"""A bot that starts again knows what the one before it knew, and answers what that one left."""

from pathlib import Path

from bot.reply import Reply
from tests.mocks import slack, teams
from tests.mocks.teams import CHANNEL, KIM, personal
from tests.program import wait_for
from tests.teams.office import at_work

ANNA = "8a1b2c3d-0000-4000-8000-0000000000aa"


def test_people_and_channels_are_known_and_nothing_is_posted_twice(tmp_path: Path) -> None:
    with slack.running() as quiet, teams.running() as mock:
        with at_work(tmp_path, quiet, mock) as first:
            first.says("whoami", user=ANNA)
            first.says("whoami", user=KIM, channel=CHANNEL)
            posted = first.post(CHANNEL, Reply("Run #7 failed.", holds="counts"), ref=None, key="a")
        with at_work(tmp_path, quiet, mock) as second:
            for target, place in ((ANNA, personal(ANNA)), (KIM, personal(KIM)), (CHANNEL, CHANNEL)):
                second.post(target, Reply("Run #8 failed.", holds="counts"), ref=None, key=f"b {target}")
                assert mock.messages[-1].conversation == place
            mock.members.add("19:other@thread.tacv2")
            second.post("19:other@thread.tacv2", Reply("Nobody ever spoke here.", holds="counts"), ref=None, key="c")
            count = len(mock.messages)
            assert second.post(CHANNEL, Reply("It is over.", holds="counts"), ref=None, key="a") == posted
            assert (len(mock.messages), "It is over." in mock.messages[2].text) == (count, True)


def test_what_was_acknowledged_and_not_answered_is_answered_by_the_next(tmp_path: Path) -> None:
    with slack.running() as quiet, teams.running() as mock:
        with at_work(tmp_path, quiet, mock) as first:
            mock.trouble("post", status=503, times=99, seconds=0.2)
            assert first.send(mock.activity("whoami")).status_code == 200
            assert wait_for(lambda: mock.calls["post"] > 0)
        assert mock.messages == []
        mock._trouble.clear()
        with at_work(tmp_path, quiet, mock) as second:
            assert wait_for(lambda: bool(mock.messages) and second.office.idle())
            assert [m.conversation for m in mock.messages] == [personal()]
