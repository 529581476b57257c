"""One office a module: a bot, and a Teams that is played."""

import os
import tempfile
from collections.abc import Iterator

import pytest

os.environ["XDG_DATA_HOME"] = os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="atlas-opsdroid-")

from tests.teams.office import TeamsOffice, open_teams_office


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamsOffice]:
    with open_teams_office(tmp_path_factory.mktemp("office")) as opened:
        yield opened
