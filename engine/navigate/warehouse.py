"""The warehouse, where people query models with tools of their own: it follows what is published, and never leads."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from core.settings import Settings
from engine.home import Home
from engine.personal import rulings
from engine.store import datasets

if TYPE_CHECKING:
    from engine.navigate.postgres import PostgreSQL, Shown

log = logging.getLogger("atlas.warehouse")

EVERY_SECONDS = 15.0


class Files:
    """The Parquet files of the published versions are the warehouse: there is nothing to bring anywhere."""

    def follow(self, wanted: object, progress: object) -> list[str]:
        return []

    def answers(self) -> bool:
        return True


def follow(home: Home, progress: Callable[[], None] = lambda: None) -> list[str]:
    """Makes the warehouse show what is published by now, and nothing else; says in words what did not work."""
    return _warehouse(home.settings).follow(lambda: _shown(home), progress)


def answers(home: Home) -> bool:
    """Whether it can be asked just now."""
    return _warehouse(home.settings).answers()


def catch_up(home: Home, stopping: threading.Event) -> None:
    """Brings what a run could not bring, because the warehouse was away or its worker was killed."""

    def wanted() -> None:
        if stopping.is_set():
            raise Stopping

    for fault in follow(home, wanted):
        log.warning("%s", fault)


class Stopping(Exception):
    """The process ends."""


def _warehouse(settings: Settings) -> "Files | PostgreSQL":
    if settings.warehouse_url is None:
        return Files()
    from engine.navigate.postgres import PostgreSQL  # its driver: loaded where there is one

    return PostgreSQL(settings.warehouse_url.get_secret_value())


def _shown(home: Home) -> "Mapping[str, Shown]":
    """The models that people may see by now."""
    from engine.navigate.postgres import Shown

    with home.database.read() as db:
        return {
            dataset.name: Shown(
                datasets.table(db, dataset, version), f"{version.id} {version.published_at.isoformat()}",
                dataset.description,
            )
            for dataset, version in datasets.current(db)
            if dataset.kind == "model" and not rulings.too_open(db, [version.id])
        }  # fmt: skip
