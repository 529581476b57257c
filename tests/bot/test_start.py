"""What the bot loads at its start, and what it refuses to load."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from bot.main import Bot, platform_names
from tests.bot.api import Api

HEAVY = (
    "aiohttp", "arrow", "celery", "duckdb", "fastapi", "nbconvert", "nbformat", "pkg_resources", "polars", "spacy",
    "sqlalchemy", "watchgod",
)  # fmt: skip
OURS = ("core", "connectors", "engine", "api", "atlas")


def test_the_bot_loads_no_heavy_library_and_no_other_package_of_ours(tmp_path: Path) -> None:
    code = "import sys, bot.main; from bot.skill import skills; skills(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, timeout=30,
        cwd=Path(__file__).parents[2], env={"XDG_DATA_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert not {*HEAVY, *OURS} & set(done.stdout.split())
    assert done.stderr == ""


def test_an_unknown_platform_is_refused_before_opsdroid_looks_for_it_elsewhere() -> None:
    assert platform_names() == ("say", "slack", "teams", "terminal")
    with pytest.raises(ValueError, match="There is no platform `slakc`"):
        Bot(httpx.AsyncClient(), {"slakc": {}})


def test_a_second_bot_in_a_process_is_refused() -> None:
    async def two() -> None:
        async with Api().client() as http, Bot(http):
            with pytest.raises(RuntimeError, match="one bot in a process"):
                await Bot(http).__aenter__()

    asyncio.run(two())


def test_entering_and_leaving_leaves_nothing_behind() -> None:
    async def once() -> list[str]:
        path = list(sys.path)
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        async with Api().client() as http:
            for _ in range(3):
                async with Bot(http) as bot:
                    await bot.ask("whoami")
        assert sys.path == path
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers
        return [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(once()) == []
