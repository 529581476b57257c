"""Everything Atlas can be extended with: the kinds of part and the folder each lives in.

A part is a file. Put it in its folder and Atlas has it, under the file's name.
"""

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from core.errors import NotFound

FOLDERS = {
    "connector": "connectors",
    "recognizer": "engine.personal.recognizers",
    "masking action": "engine.personal.actions",
    "quality dimension": "engine.contract.dimensions",
    "alert rule": "engine.alerts.rules",
    "skill": "bot.skills",
}


@cache
def names(kind: str) -> tuple[str, ...]:
    """The names of all parts of a kind, in alphabetical order; loads none of them."""
    folder = importlib.import_module(FOLDERS[kind])
    return tuple(sorted(m.name for m in pkgutil.iter_modules(folder.__path__) if not m.name.startswith("_")))


def load(kind: str, name: str) -> ModuleType:
    """The part of that name, imported now. Raises NotFound with the names that exist."""
    if name not in names(kind):
        raise NotFound(f"There is no {kind} called `{name}`.", hint=f"Known: {', '.join(names(kind))}.")
    return importlib.import_module(f"{FOLDERS[kind]}.{name}")
