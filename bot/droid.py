"""opsdroid as Atlas embeds it: in the host's event loop, without signal handlers, a port or downloads."""

import gettext
import logging
import sys
import warnings
import weakref
from types import ModuleType
from typing import Any

gettext.install("opsdroid")  # opsdroid calls a built-in `_` that its own command line would install
# it reads skills from Jupyter notebooks too; the libraries for that, unused here, take a third of its start
notebooks = {name: ModuleType(name) for name in ("nbformat", "nbconvert") if name not in sys.modules}
for module in notebooks.values():
    module.__dict__["PythonExporter"] = None
sys.modules.update(notebooks)
with warnings.catch_warnings():
    # its loader imports pkg_resources, which says on every start that it will go
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
    from opsdroid import events
    from opsdroid.core import OpsDroid
for name in notebooks:
    del sys.modules[name]

from bot.reply import Reply  # noqa: E402 - opsdroid needs the lines above

Message = events.Message

# at DEBUG it writes every message that people type; its warnings are about a database that is not wanted
logging.getLogger("opsdroid").setLevel(logging.ERROR)


class Answer(events.Event):
    """A Reply on its way to the platform: an update that is edited in place, or the final word."""

    def __init__(self, reply: Reply, final: bool, **where: Any) -> None:
        super().__init__(**where)
        self.reply = reply
        self.final = final


class NoWebServer:
    """Stands where opsdroid's web server would listen: `say` and `chat` open no port."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


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
        self.web_server = NoWebServer()
