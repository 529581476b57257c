"""A whole Atlas in a folder, whose pipelines a test writes, and what it publishes."""

import asyncio
from pathlib import Path
from typing import Any

import polars as pl

from atlas.embedded import Embedded
from core.settings import load
from engine.store import datasets
from tests.homes import prepare


class Whole:
    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        (folder / "navigate").mkdir(parents=True, exist_ok=True)
        prepare(folder / "home")
        given = {"ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(folder), **settings}
        self.atlas = Embedded(load(given))

    def pipeline(self, name: str, text: str) -> None:
        (self.folder / f"{name}.yml").write_text(f"name: {name}\nowner: tests\n{text}", encoding="utf-8")

    def run(self, name: str, full: bool = False) -> dict[str, Any]:
        """The answer of the API when the run has ended."""
        return self.started("runs", {"pipeline": name, "full": full})

    def started(self, path: str, body: Any = None) -> dict[str, Any]:
        """The same, of a run that another request starts."""
        return asyncio.run(self._started(path, body))

    async def _started(self, path: str, body: Any) -> dict[str, Any]:
        async with self.atlas.client() as http:
            answer = (await http.post(f"/api/v1/{path}", json=body)).json()
            assert "run" in answer, answer
            while answer["state"] in ("queued", "running"):
                params = {"seen": answer["revision"], "wait": 20}
                answer = (await http.get(f"/api/v1/runs/{answer['run']}", params=params)).json()
            return dict(answer)

    def rows(self, name: str) -> pl.DataFrame:
        """What is published."""
        with self.atlas.home.database.read() as db:
            _, version = datasets.get(db, name)
            files = datasets.files(db, version.id)
        return pl.concat([pl.read_parquet(path) for path, _ in files])

    def close(self) -> None:
        self.atlas.close()
