"""A whole Atlas in this process: the home, the API over it, and a worker that starts when there is work."""

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
from sqlalchemy.orm import Session

from api.inside import inside
from api.main import IN_PROCESS, create_app
from atlas.people import person
from core.errors import Forbidden, Misconfigured
from core.settings import Settings
from engine.home import Home, may_work, open_home
from engine.runs import process
from engine.store import access, processes
from engine.store.tables import User

if TYPE_CHECKING:
    from engine.runs.schedules import Scheduler
    from engine.runs.worker import Worker

SESSION_SECONDS = 7 * 24 * 3600
BOT_SECONDS = 366 * 24 * 3600  # as long as a server may run


class Embedded:
    """Everything that `say`, `chat` and `serve` need, without a server."""

    def __init__(
        self, settings: Settings, *, loopback: bool = True, serves: bool = False,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:  # fmt: skip
        """`serves`: people are answered while runs go on, and come first. `say` is told what is left to others."""
        self.home: Home = open_home(settings)
        self.app = create_app(self.home, self.wake, loopback=loopback)
        self._serves, self._say, self._said = serves, say, False
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._scheduler: Scheduler | None = None
        self._tokens: list[str] = []

    def token(
        self,
        user: str | None,
        seconds: float = SESSION_SECONDS,
        *,
        name: str = "terminal",
        scopes: list[str] | None = None,
    ) -> str:
        """A bearer token for a user, by default for the home's owner. Raises NotFound."""
        with self.home.database.write() as db:
            token = access.issue(db, self._user(db, user), seconds, name=name, scopes=scopes, by=person())
        self._tokens.append(token)
        return token

    def _user(self, db: Session, name: str | None) -> User:
        """A user by name; without one the person at the terminal, who is administrator of a home they own."""
        owns = self.home.settings.home.absolute().stat().st_uid == os.geteuid()
        if name is None and owns:
            return access.owner_of_the_home(db, person())
        if not owns:
            raise Forbidden("This ATLAS_HOME belongs to somebody else.", hint="Set ATLAS_HOME to a folder of your own.")
        return access.user(db, str(name))

    def client(self, user: str | None = None) -> httpx.AsyncClient:
        """HTTP to the API in this process, on behalf of a user."""
        return self._client(self.token(user))

    def bot(self) -> httpx.AsyncClient:
        """HTTP to the API in this process for the bot, which speaks for those who talk to it and for nobody else."""
        return self._client(self.token(None, BOT_SECONDS, name="bot", scopes=["speak-for"]))

    def _client(self, token: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(inside(self.app), raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(transport=transport, base_url=IN_PROCESS, headers=headers, timeout=60)

    def worker(self) -> "Worker":
        with self._lock:
            if self._worker is None:
                from engine.runs.worker import Worker, celery_app  # Celery: loaded when there is something to do

                self._worker = Worker(
                    self.home, celery_app(self.home), gives_way=self._serves, only_asks=not self._serves
                )
            return self._worker

    def wake(self) -> None:
        """There may be something to do: does it here, or leaves it to others and says so once."""
        worker = self.worker()
        worker.wake()
        if worker.why_not is not None and not self._serves and not self._said:
            self._said = True
            self._say(self._leaves(worker.why_not))

    def why_not(self) -> str | None:
        """Why this process only asks, in words; None if it may work on runs."""
        try:
            may_work(self.home)
        except Misconfigured as error:
            self._said = True
            return self._leaves(error)
        return None

    def _leaves(self, why: Misconfigured) -> str:
        with self.home.database.read() as db:
            works = processes.works(db)
        others = "Runs are left to the workers." if works else process.NOBODY
        return f"{why.message} {why.hint or ''}\nThis process only asks. {others}"

    def look_after_schedules(self) -> None:
        """Fires schedules from here on, as long as this process lives."""
        from engine.runs.schedules import Scheduler

        self._scheduler = Scheduler(self.home)
        self._scheduler.start()

    def close(self, seconds: float = 3.0) -> bool:
        """Lets work end, for so long; False if some was left to others."""
        if self._scheduler:
            self._scheduler.stop()
        ended = self._worker.stop(seconds) if self._worker else True
        with self.home.database.write() as db:
            access.forget(db, self._tokens)
        if ended:
            self.home.database.close()
        return ended
