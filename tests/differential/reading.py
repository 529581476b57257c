"""One Atlas in this process that runs pipelines over made sources; what it published, and what it answered."""

import asyncio
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from atlas.embedded import Embedded
from bot.client import ENDED, Atlas, AtlasProblem
from bot.runs import outcome
from core.settings import load
from engine.store import datasets, runs

# what an answer says about every run; the rest of it are notes
_ALWAYS = re.compile(
    r"^Done in [^:\n]*: [\d,.]+ in, [\d,.]+ out, [\d,.]+ rejected\.?|^(Quality|Personal data|Merged by key|Nothing was"
    r" published|Version \d+ of)\b.*$",
    re.M,
)


@dataclass
class Outcome:
    """What came of a run."""

    state: str  # succeeded, refused, failed
    answer: str
    rejected: int = 0
    masked: set[str] = field(default_factory=set)  # columns of which cells are masked
    names: list[str] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def notes(self) -> str:
        """The answer without what every answer says."""
        return "\n".join(line for line in _ALWAYS.sub("", self.answer).splitlines() if line.strip())


class _InTurn(Embedded):
    """Works where it is asked to, and on nothing in between: for many small runs that is the quickest."""

    def wake(self) -> None:
        pass

    def work(self, run: int) -> None:
        worker = self.worker()
        worker.start()
        before = None
        while True:
            with self.home.database.read() as db:
                ready = [part.id for part in runs.parts(db, run) if part.state == "ready"]
            if not ready or ready[0] == before:  # the rest is for later, and the worker's own threads do it
                return
            before = ready[0]
            worker.work(before)


class Reader:
    """An Atlas with a folder for pipelines and their files."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.pipelines = folder / "pipelines"
        self.pipelines.mkdir(parents=True)
        given = {"ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(self.pipelines)}
        many = {"ATLAS_LIMIT_PER_ADDRESS": "999999/minute", "ATLAS_LIMIT_PER_TOKEN": "999999/minute"}
        self.atlas = _InTurn(load({**given, **many, **more}))

        self._loop = asyncio.Runner()
        self._http = self.atlas.client()
        self._bot = Atlas(self._http)

    def close(self) -> None:
        self._loop.run(self._http.aclose())
        self._loop.close()
        self.atlas.close()

    def write(self, name: str, source: str, files: dict[str, bytes] | None = None, more: str = "") -> None:
        """A pipeline and the files that it reads."""
        folder = self.pipelines / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in (files or {}).items():
            (folder / file).write_bytes(content)
        text = f"name: {name}\nowner: tests\nsource: {source}\n{more}"
        (self.pipelines / f"{name}.yml").write_text(text, encoding="utf-8")

    def forget(self, name: str) -> None:
        """Removes a pipeline and its files, so that the next is not slower for it."""
        (self.pipelines / f"{name}.yml").unlink()
        shutil.rmtree(self.pipelines / "data" / name)

    def run(self, name: str) -> Outcome:
        return self._loop.run(self._run(name))

    async def _run(self, name: str) -> Outcome:
        try:
            seen = await self._bot.start(name)
            self.atlas.work(seen["run"])
            seen = await self._bot.run(seen["run"])
            if seen["state"] not in ENDED:
                seen = [run async for run in self._bot.watch(seen)][-1]
            reply = await outcome(self._bot, seen, ZoneInfo("UTC"))
        except AtlasProblem as problem:
            return Outcome("refused", f"{problem.message}\n{problem.hint or ''}")
        masked = {found["column"] for found in seen["personal_columns"] if found["action"] != "keep" or found["masked"]}
        masked |= {found["column"] for found in seen["found_elsewhere"]}
        out = Outcome(seen["state"], reply.text, seen["rows_rejected"] or 0, masked)
        if out.state == "succeeded":
            out.names, out.rows = self.published(name)
        return out

    def published(self, name: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names and rows of the version that people see."""
        with self.atlas.home.database.read() as db:
            _, version = datasets.get(db, name)
            paths = [path for path, _ in datasets.files(db, version.id)]
        parts = [pl.read_parquet(path) for path in paths]
        whole = pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame()
        return whole.columns, whole.rows()
