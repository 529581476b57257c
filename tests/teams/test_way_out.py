"""The way to Teams: busy, broken and slow answers, tokens that end, keys that change, and a bot that starts again."""

import json
import time

import httpx
import pytest

from atlas.chats import configured
from bot.platforms.teams.keys import Keys
from bot.posting import CannotPost
from bot.reply import Reply
from core.errors import Misconfigured
from core.settings import load
from tests.mocks.teams import CHANNEL, OTHER_KEY, TENANT, jwk
from tests.teams.office import TeamsOffice

ANNA = "8a1b2c3d-0000-4000-8000-0000000000aa"


@pytest.mark.parametrize("how", [{"status": 429, "headers": {"Retry-After": "1"}}, {"status": 502}, {"status": 503}])
def test_what_teams_is_too_busy_for_is_done_when_it_is_not(how: dict[str, object], office: TeamsOffice) -> None:
    office.says("whoami", channel=CHANNEL)
    before, posts, begun = len(office.teams.messages), office.teams.calls["post"], time.monotonic()
    office.teams.trouble("post", **how)
    office.post(CHANNEL, Reply("x", holds="counts"), ref=None, key=f"busy-{how['status']}")
    assert len(office.teams.messages) == before + 1
    assert office.teams.calls["post"] == posts + 2
    assert how["status"] != 429 or time.monotonic() - begun >= 1


def test_what_stands_in_front_of_teams_may_answer_anything(office: TeamsOffice) -> None:
    office.teams.trouble("post", status=503, error="x" * 5_000)
    office.post(CHANNEL, Reply("x", holds="counts"), ref=None, key="anything")


def test_a_wait_that_is_too_long_is_left_to_whoever_kept_it(office: TeamsOffice) -> None:
    office.teams.trouble("post", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(CannotPost) as raised:
        office.post(CHANNEL, Reply("x", holds="counts"), ref=None, key="too long")
    assert raised.value.retry


def test_where_the_app_is_not_nothing_is_posted_and_no_content_is_told(office: TeamsOffice) -> None:
    with pytest.raises(CannotPost) as raised:
        office.post("19:elsewhere@thread.tacv2", Reply("secret words", holds="counts"), ref=None, key="elsewhere")
    assert (raised.value.reason, raised.value.retry) == ("BotNotInConversationRoster", False)
    with pytest.raises(CannotPost) as raised:
        office.post(ANNA, Reply("secret words", holds="counts"), ref=None, key="nobody")
    assert "nobody spoke to Atlas there" in raised.value.reason


def test_a_token_that_ended_early_is_exchanged(office: TeamsOffice) -> None:
    office.says("whoami")
    tokens = office.teams.calls["token"]
    office.says("whoami")
    assert office.teams.calls["token"] == tokens
    office.teams.end_tokens()
    assert office.says("whoami").text
    assert office.teams.calls["token"] == tokens + 1


def test_a_message_that_was_deleted_is_posted_anew(office: TeamsOffice) -> None:
    ref = office.post(CHANNEL, Reply("x", holds="counts"), ref=None, key="deleted")
    office.teams.messages.pop()
    again = office.post(CHANNEL, Reply("y", holds="counts"), ref=ref, key="deleted")
    assert json.loads(again)["id"] == office.teams.messages[-1].id


def test_keys_that_are_not_known_are_fetched_now_and_then(office: TeamsOffice) -> None:
    async def asked() -> tuple[int, int]:
        async with httpx.AsyncClient() as http:
            keys = Keys(f"{office.teams.root}/openid", http)
            await keys.get("key-1")
            begun = office.teams.calls["keys"]
            for number in range(50):
                with pytest.raises(KeyError):
                    await keys.get(f"made-up-{number}")
            office.teams.keys.append(jwk(OTHER_KEY, "key-2"))
            keys._asked -= 301
            assert (await keys.get("key-2")).endorsements == ["msteams"]
            office.teams.trouble("keys", status=503)
            keys._fetched -= 25 * 3600
            keys._asked -= 301
            assert await keys.get("key-1")  # nobody answers: what was known stays known
            return begun, office.teams.calls["keys"]

    begun, ended = office.office.run(asked)
    assert ended - begun == 2


def test_half_a_configuration_is_refused() -> None:
    whole = {"ATLAS_TEAMS_APP_ID": "a", "ATLAS_TEAMS_APP_PASSWORD": "b", "ATLAS_TEAMS_TENANT_ID": TENANT}
    assert configured(load(whole))["teams"]["tenants"] == [TENANT]
    assert configured(load({})) == {}
    for name in whole:
        for wrong in ({name: ""}, {name: " "}, None):
            given = {k: v for k, v in whole.items() if k != name} | (wrong or {})
            with pytest.raises(Misconfigured, match=name):
                configured(load(given))
    with pytest.raises(Misconfigured, match="ATLAS_TEAMS_OPENID_URL"):
        configured(load({**whole, "ATLAS_TEAMS_OPENID_URL": "http://evil.example/keys"}))
