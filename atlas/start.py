"""How every command begins: the settings are read, threads are pinned, and the log of this process is set up."""

from core import settings as given
from core import threads
from core.settings import Settings


def settings(*, talking: bool = False) -> Settings:
    """The settings, and the log: a person who talks gets it in a file, a process in its stderr."""
    found = given.load()
    if found.threads is not None:
        threads.pin(found.threads)
    from atlas import logs

    logs.configure(found.log_level, found.home / "logs" / "atlas.log" if talking else None)
    return found
