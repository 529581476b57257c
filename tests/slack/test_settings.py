"""Half a configuration is refused, naming what is missing."""

import subprocess
from pathlib import Path

import pytest

from atlas.chats import configured
from core.errors import Misconfigured
from core.settings import load
from tests.mocks import slack as mock
from tests.program import Program

TOKEN = {"ATLAS_SLACK_BOT_TOKEN": "xoxb-1"}
SECRET = {"ATLAS_SLACK_SIGNING_SECRET": "s"}
APP = {"ATLAS_SLACK_APP_TOKEN": "xapp-1"}


def test_without_a_setting_there_is_no_chat_platform() -> None:
    assert configured(load({})) == {}


@pytest.mark.parametrize("given", [{**TOKEN, **SECRET}, {**TOKEN, **APP}, {**TOKEN, **SECRET, **APP}])
def test_a_whole_configuration_is_one_platform(given: dict[str, str]) -> None:
    assert list(configured(load(given))) == ["slack"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (TOKEN, "ATLAS_SLACK_SIGNING_SECRET"),
        (SECRET, "ATLAS_SLACK_BOT_TOKEN"),
        (APP, "ATLAS_SLACK_BOT_TOKEN"),
        ({**TOKEN, "ATLAS_SLACK_SIGNING_SECRET": ""}, "`ATLAS_SLACK_SIGNING_SECRET` is empty"),
        ({**TOKEN, "ATLAS_SLACK_SIGNING_SECRET": "  "}, "`ATLAS_SLACK_SIGNING_SECRET` is empty"),
        ({"ATLAS_SLACK_BOT_TOKEN": "", **SECRET}, "`ATLAS_SLACK_BOT_TOKEN` is empty"),
        ({**TOKEN, **SECRET, "ATLAS_SLACK_API_URL": "http://slack.example/api/"}, "ATLAS_SLACK_API_URL"),
    ],
)
def test_half_a_configuration_is_refused(given: dict[str, str], named: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        configured(load(given))
    assert named in refused.value.message
    assert "xoxb-1" not in f"{refused.value.message} {refused.value.hint}"


def serve(program: Program, *words: str) -> subprocess.CompletedProcess[str]:
    return program.run("serve", *words)


def test_a_server_says_which_setting_of_its_bot_is_missing(tmp_path: Path) -> None:
    refused = serve(Program(tmp_path, **TOKEN), "--port", "0")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "`ATLAS_SLACK_SIGNING_SECRET` is not set." in refused.stderr


def test_a_token_that_slack_does_not_know_is_told_at_the_start(tmp_path: Path) -> None:
    with mock.running() as slack:
        refused = serve(Program(tmp_path, **TOKEN, **SECRET, ATLAS_SLACK_API_URL=slack.url), "--port", "0")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[0] == "The bot is not let into slack: invalid_auth."
    assert "Traceback" not in refused.stderr


def test_the_bot_alone_needs_a_platform_and_a_server(tmp_path: Path) -> None:
    assert "No chat platform is configured." in serve(Program(tmp_path), "bot").stderr
    assert "ATLAS_API_URL is not set." in serve(Program(tmp_path, **TOKEN, **SECRET), "bot").stderr
