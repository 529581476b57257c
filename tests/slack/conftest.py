"""One office a module: a bot, and a Slack that is played."""

import os
import tempfile
from collections.abc import Iterator

import pytest

os.environ["XDG_DATA_HOME"] = os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="atlas-opsdroid-")

from tests.slack.office import Office, open_office


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(tmp_path_factory.mktemp("office")) as opened:
        yield opened
