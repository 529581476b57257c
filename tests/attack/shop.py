"""A home with users, pipelines and models, in which attacks on rights are tried."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.main import IN_PROCESS, create_app
from core import pipeline_file
from core.settings import load
from engine.home import Home, open_home
from engine.runs import course
from engine.store import access, datasets, leases, runs
from engine.store.tables import Run
from tests.homes import prepare

_NO_LIMIT = dict.fromkeys(("ATLAS_LIMIT_PER_ADDRESS", "ATLAS_LIMIT_PER_TOKEN", "ATLAS_LIMIT_SIGN_IN"), "99999/second")


class Shop:
    """Pipelines that publish one small file each, and the models over them, built by the real step."""

    def __init__(self, folder: Path) -> None:
        self.pipelines = folder / "pipelines"
        (self.pipelines / "navigate").mkdir(parents=True)
        places = {"ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(self.pipelines)}
        prepare(folder / "home")
        self.home: Home = open_home(load({**places, **_NO_LIMIT}))
        self.app: FastAPI = create_app(self.home, lambda: None)
        self.people: dict[str, TestClient] = {}
        self.rows = folder / "rows.parquet"
        duckdb.sql(f"copy (select 1 as id) to '{self.rows}'")

    def user(self, name: str, role: str = "viewer", owns: Iterable[str] = ()) -> TestClient:
        """A new user, as who calls the API."""
        with self.home.database.write() as db:
            access.add_user(db, name, role, owns=owns)
        self.people[name] = self.caller(name)
        return self.people[name]

    def caller(self, user: str, /, **limits: Any) -> TestClient:
        """A user with a token that was made on the server."""
        with self.home.database.write() as db:
            return self.using(access.issue(db, access.user(db, user), 600, **limits))

    def using(self, token: str) -> TestClient:
        return TestClient(
            self.app, base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False
        )

    def pipeline(self, name: str, owner: str) -> None:
        text = f"name: {name}\nowner: {owner}\nsource: {{connector: csv, path: {name}.csv}}\n"
        (self.pipelines / f"{name}.yml").write_text(text, encoding="utf-8")

    def model(self, name: str, inputs: Iterable[str], owner: str | None = None) -> None:
        declared = "" if owner is None else f"-- owner: {owner}\n"
        text = f"{declared}select id from {' join '.join(inputs).replace(' join ', ' natural join ')}"
        (self.pipelines / "navigate" / f"{name}.sql").write_text(text, encoding="utf-8")

    def run(self, name: str) -> Run:
        """Publishes a dataset as its file says, and builds the models over it."""
        read = pipeline_file.read(self.pipelines / f"{name}.yml")
        with self.home.database.write() as db:
            number = runs.start(db, read, "anybody", "navigate")[0].id
            claim = leases.claim(db, runs.parts(db, number)[0].id, "here:1:1", 60)
            datasets.publish(
                db, datasets.Snapshot(name, "charted", read.owner, "", number, [(str(self.rows), 1)], {"id": "INTEGER"})
            )
        assert claim is not None
        course.work(self.home, claim, lambda rows: None)
        with self.home.database.read() as db:
            return runs.get(db, number)
