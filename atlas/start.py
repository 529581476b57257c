"""How every command begins: the settings are read, threads are pinned, and the log of this process is set up."""

import gc

from core import settings as given
from core import threads
from core.settings import Settings

_USUAL = gc.get_threshold()
_NO_GARBAGE = 500_000  # objects; what is loaded stays, and looking through it again and again is a fifth of a start


def loading() -> None:
    """From here on modules are loaded: the collector waits."""
    gc.set_threshold(_NO_GARBAGE)


def loaded() -> None:
    """All is there that stays until the end: the collector works again, and leaves it alone."""
    gc.freeze()
    gc.set_threshold(*_USUAL)


def settings(*, talking: bool = False) -> Settings:
    """The settings, and the log: a person who talks gets it in a file, a process in its stderr."""
    found = given.load()
    if found.threads is not None:
        threads.pin(found.threads)
    from atlas import logs

    logs.configure(found.log_level, found.home / "logs" / "atlas.log" if talking else None)
    return found
