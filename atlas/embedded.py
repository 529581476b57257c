"""A whole Atlas in this process: the home, the API over it, and a worker that starts when there is work."""

import os
import pwd
import threading
from functools import cached_property
from typing import TYPE_CHECKING

import httpx
from sqlalchemy.orm import Session

from api.main import IN_PROCESS, create_app
from core.errors import Forbidden
from core.settings import Settings
from engine.home import Home, open_home
from engine.store import access
from engine.store.tables import User

if TYPE_CHECKING:
    from engine.worker import Worker

SESSION_SECONDS = 30 * 24 * 3600


class Embedded:
    """Everything that `say`, `chat` and `serve` need, without a server."""

    def __init__(self, settings: Settings, *, loopback: bool = True) -> None:
        self.home: Home = open_home(settings)
        self.app = create_app(self.home, self.wake, loopback=loopback)
        self._lock = threading.Lock()
        self._worker: Worker | None = None

    @cached_property
    def person(self) -> str:
        """The operating-system user of this process, whatever its environment says."""
        return pwd.getpwuid(os.geteuid()).pw_name

    def token(self, user: str | None, seconds: float = SESSION_SECONDS) -> str:
        """A bearer token for a user, by default for the home's owner. Raises NotFound."""
        with self.home.database.write() as db:
            return access.issue(db, self._user(db, user), seconds)

    def _user(self, db: Session, name: str | None) -> User:
        """A user by name; without one the person at the terminal, who is administrator of a home they own."""
        owns = self.home.settings.home.absolute().stat().st_uid == os.geteuid()
        if name is None and owns:
            return access.owner_of_the_home(db, self.person)
        if not owns:
            raise Forbidden("This ATLAS_HOME belongs to somebody else.", hint="Set ATLAS_HOME to a folder of your own.")
        return access.user(db, str(name))

    def client(self, user: str | None = None) -> httpx.AsyncClient:
        """HTTP to the API in this process, on behalf of a user."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        return httpx.AsyncClient(transport=transport, base_url=IN_PROCESS, headers=headers, timeout=60)

    def worker(self) -> "Worker":
        with self._lock:
            if self._worker is None:
                from engine.worker import Worker, celery_app  # Celery: loaded when there is something to do

                self._worker = Worker(self.home, celery_app(self.home))
            return self._worker

    def wake(self) -> None:
        """There may be something to do: does it here."""
        self.worker().wake()

    def close(self, seconds: float = 3.0) -> bool:
        """Lets work end, for so long; False if some was left to others."""
        ended = self._worker.stop(seconds) if self._worker else True
        if ended:
            self.home.database.close()
        return ended
