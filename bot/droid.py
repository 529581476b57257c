"""opsdroid as Atlas embeds it: in the host's event loop, without signal handlers, a port or downloads."""

import asyncio
import gettext
import logging
import sys
import weakref
from types import ModuleType
from typing import Any


class NoWebServer:
    """Stands where opsdroid's web server would listen: `say` and `chat` open no port."""

    def __init__(self, _: Any) -> None: ...

    def setup_webhooks(self, _: Any) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


async def no_times(_: Any) -> None:
    """Stands where opsdroid looks each minute for skills that are due: waits until opsdroid is stopped."""
    await asyncio.Event().wait()


gettext.install("opsdroid")  # opsdroid calls a built-in `_` that its own command line would install
# it can also serve the web, keep times, ask services that understand text, look into pictures and films, and read
# skills from notebooks, other packages and files that change; what it loads for that, unused here, is most of its start
unused: dict[str, dict[str, Any]] = {
    "aiohttp": {}, "arrow": {}, "bitstring": {"BitArray": None}, "imagesize": {}, "nbconvert": {"PythonExporter": None},
    "nbformat": {}, "opsdroid.parsers.crontab": {"parse_crontab": no_times}, "opsdroid.web": {"Web": NoWebServer},
    "pkg_resources": {"iter_entry_points": lambda **_: ()}, "puremagic": {},
    "videoprops": {"get_video_properties": None}, "watchgod": {"PythonWatcher": None, "awatch": None},
}  # fmt: skip
stand_ins = {name: ModuleType(name) for name in unused if name not in sys.modules}
for name, module in stand_ins.items():
    module.__dict__.update(unused[name])
sys.modules.update(stand_ins)
from opsdroid import events  # noqa: E402 - opsdroid needs the lines above
from opsdroid.core import OpsDroid  # noqa: E402

for name in stand_ins:
    del sys.modules[name]

from bot.reply import Reply  # noqa: E402

Message = events.Message

# at DEBUG it writes every message that people type; its warnings are about a database that is not wanted
logging.getLogger("opsdroid").setLevel(logging.ERROR)


class Answer(events.Event):
    """A Reply on its way to the platform: an update that is edited in place, or the final word."""

    def __init__(self, reply: Reply, final: bool, **where: Any) -> None:
        super().__init__(**where)
        self.reply = reply
        self.final = final


class Droid(OpsDroid):
    """One opsdroid in a process, entered and left without touching the event loop or the import path."""

    def __enter__(self) -> "Droid":
        if OpsDroid.instances:
            raise RuntimeError("opsdroid allows one bot in a process, and one is running.")
        OpsDroid.instances.append(weakref.proxy(self))
        return self

    def __exit__(self, *_: object) -> None:
        OpsDroid.instances.clear()

    async def load(self, config: dict[str, Any] | None = None) -> None:
        """Loads skills and connectors. Raises RuntimeError where opsdroid would end the process."""
        path = list(sys.path)
        try:
            await super().load(config)
        except SystemExit as error:
            raise RuntimeError("opsdroid could not load the bot; its reason is in the log.") from error
        finally:
            sys.path[:] = path  # it appends folders that anybody with the home may write to
