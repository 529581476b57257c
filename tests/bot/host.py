"""A program that hosts the terminal chat as `atlas chat` does, over the API that plays runs. argv: folder [endless]."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

folder = Path(sys.argv[1])
os.environ["XDG_DATA_HOME"] = os.environ["XDG_CACHE_HOME"] = str(folder / "xdg")

from bot.main import Bot  # noqa: E402
from bot.screen import Screen  # noqa: E402
from tests.bot.api import Api, played  # noqa: E402


async def main() -> int:
    api = Api(played()[:3] if "endless" in sys.argv else played())
    screen = Screen(sys.stdout, folder / "reports")
    async with Bot(api.client(), {"terminal": {"screen": screen, "user": "kim", "words": ("run ", "quality ")}}) as bot:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, bot.interrupt)
        await bot.closed()
        reply = bot.platform("terminal").reply
        return reply.exit_code if reply else 0


with contextlib.suppress(KeyboardInterrupt):
    sys.exit(asyncio.run(main()))
