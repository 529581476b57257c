"""What the trials run, and what must be true after each of them."""

import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import polars as pl
from celery import Celery

from engine.runs.sweep import sweep
from engine.runs.worker import celery_app
from tests.crash.cluster import Cluster, wait_for

PATIENCE = 60.0  # seconds from the fault to the end of the run
DAY = 86_400
BEGINS = {
    "explore": "",
    "rejects": "rejected-",
    "contract": "contract-",
}  # raw files, by step
FILES, ROWS_A_FILE = 4, 240
OUT = FILES * ROWS_A_FILE * 7 // 8  # every eighth row breaks a hard rule
COUNTS = [FILES * (ROWS_A_FILE + 1), OUT, FILES * (ROWS_A_FILE // 8 + 1)]  # in, out, rejected: one row a file is none
CHANGED = [n * (FILES - 1) // FILES for n in (FILES * ROWS_A_FILE, OUT, FILES * ROWS_A_FILE // 8)]  # of a table's rows
PIPELINE = """name: {name}
owner: web-team
source: {source}
key: [id]
quality:
  uniqueness: [id]
  validity: [{{column: country, values: [Denmark, Sweden]}}]
  reject_rows: [validity]
privacy: {{columns: {{code: keep}}}}
"""
MODEL = "-- By country\nselect country, count(*) as n, sum(amount) as amount from {name} group by 1 order by 1\n"
CSV = "{{connector: csv, path: {name}-*.csv}}"
TABLE = "{{connector: postgres, dsn: '${{secret:SHOP_DSN}}', table: {name}, cursor: changed}}"
MAKE_TABLE = """
CREATE TABLE {name} (id int PRIMARY KEY, email text, country text, amount numeric, code text, changed int)
"""
FAILS = "name: {name}\nowner: web-team\nsource: {{connector: csv, path: nothing-there.csv}}\n"


@dataclass
class Trial:
    point: str
    fault: str
    violations: list[str] = field(default_factory=list)
    state: str = ""
    seconds: float = 0.0
    killed_api: bool = False
    statuses: Counter[str] = field(default_factory=Counter)


class Matrix:
    """Trials one after another on one cluster."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster, self.random = cluster, random.Random(seed)
        self.celery: Celery = celery_app(cluster.home)
        self._count = 0
        self.pipeline("things")
        self.schedule("things")
        number = self.start("things")
        assert self.ended(number, PATIENCE) == "succeeded", self.why(number)
        self.expected = self.published("things"), self.published("things_model")
        assert self.expected[0].height == OUT
        assert self.expected[0]["id"].n_unique() == self.expected[0].height

    # what there is to run

    def pipeline(self, name: str) -> None:
        for file in range(FILES):
            lines = ["id,email,country,amount,code", *(",".join(row) for row in _rows(file))]
            lines.insert(17, "1,2,3,4,5,6,7,8")  # no row of this table
            path = self.cluster.pipelines / f"{name}-{file}.csv"
            path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        self._write(name, CSV)

    def table(self, name: str) -> None:
        """A pipeline over a table that will change: it lacks the last file's rows, and those of all but the first are
        others than they will be."""
        self.cluster.rows(MAKE_TABLE.format(name=name))
        self._insert(name, [(*row, "0") for row in _rows(0)])
        early = [row for file in range(1, FILES - 1) for row in _rows(file)]
        self._insert(name, [(number, email, "Sweden", "0.25", code, "1") for number, email, _, _, code in early])
        self._write(name, TABLE)

    def change(self, name: str) -> None:
        """What is in the table is then what is in the files."""
        self.cluster.rows(f"delete from {name} where changed > 0")
        self._insert(name, [(*row, "2") for file in range(1, FILES) for row in _rows(file)])

    def _insert(self, name: str, rows: list[tuple[str, ...]]) -> None:
        self.cluster.rows(f"insert into {name} values " + ", ".join(map(str, rows)))

    def _write(self, name: str, source: str) -> None:
        folder = self.cluster.pipelines
        (folder / "navigate" / f"{name}_model.sql").write_text(MODEL.format(name=name), encoding="utf-8")
        (folder / f"{name}.yml").write_text(
            PIPELINE.format(name=name, source=source.format(name=name)), encoding="utf-8"
        )

    def fails(self, name: str) -> None:
        (self.cluster.pipelines / f"{name}.yml").write_text(FAILS.format(name=name), encoding="utf-8")

    def forget(self, name: str) -> None:
        for path in (*self.cluster.pipelines.glob(f"{name}*"), *self.cluster.pipelines.glob(f"navigate/{name}*")):
            path.unlink()
        self.cluster.rows("delete from schedule where pipeline = :name", name=name)
        self.cluster.rows(f"drop table if exists {name}")

    def schedule(self, name: str) -> None:
        answer = self.cluster.client.put(f"/api/v1/schedules/{name}", json={"cron": "0 0 1 1 *"})
        assert answer.status_code == 200, answer.text

    def due(self, name: str) -> None:
        """It is time for the schedule of a pipeline."""
        self.cluster.rows("update schedule set next_at = clock_timestamp() where pipeline = :name", name=name)

    # asking for runs, as patiently as a script would

    def start(self, name: str) -> int:
        return int(self._ask("POST", "/api/v1/runs", json={"pipeline": name})["run"])

    def rule(self, name: str) -> None:
        """A ruling that masks at once what is published."""
        self._ask("POST", f"/api/v1/datasets/{name}/pii/rulings", json={"column": "code", "type": "PERSON"})

    def cancel(self, number: int) -> None:
        self._ask("POST", f"/api/v1/runs/{number}/cancel")

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        key = {"Idempotency-Key": uuid.uuid4().hex}
        end = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self.cluster.client.request(method, path, headers=key, **more)
            except httpx.TransportError:
                told = "no answer"
            else:
                told = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code < 300 or (answer.status_code == 409 and path.endswith("/cancel")):  # it has ended
                    return dict(answer.json())
                if "This was done already" in answer.text:  # by an API that was killed before it answered
                    return {"run": self.newest()}
                assert answer.status_code in (409, 503), told
            assert time.monotonic() < end, told
            time.sleep(0.2)

    # what became of them

    def newest(self) -> int:
        return int(self.cluster.rows("select coalesce(max(id), 0) from run")[0][0])

    def state(self, number: int) -> str:
        return str(self.cluster.rows("select state from run where id = :n", n=number)[0][0])

    def why(self, number: int) -> str:
        return str(self.cluster.rows("select state, error from run where id = :n", n=number))

    def ended(self, number: int, seconds: float) -> str:
        wait_for(lambda: self.state(number) not in ("queued", "running"), seconds, 0.1)
        return self.state(number)

    def published(self, name: str) -> pl.DataFrame:
        """What readers of a dataset see, sorted."""
        paths = self.cluster.rows(
            "select f.path from dataset d join version_file f on f.version_id = d.current_version_id "
            "where d.name = :name order by f.ordinal", name=name,
        )  # fmt: skip
        frames = [pl.read_parquet(path) for (path,) in paths]
        frame = pl.concat(frames)
        return frame.sort(frame.columns)

    # a trial

    def check(self, trial: Trial, before: int, expected: set[str], names: tuple[str, ...], counted: list[int]) -> None:
        """What must be true when all is over."""
        said = trial.violations.append
        rows = self.cluster.rows
        runs = rows(
            "select id, pipeline, state, rows_in, rows_out, rows_rejected, error from run where id > :n order by id",
            n=before,
        )  # fmt: skip
        for number, name, state, *counts, error in runs:
            trial.state = trial.state or state
            if state not in expected:
                said(f"run {number} of {name} is {state}: {(error or {}).get('message')}")
            masking = rows("select 1 from part where run_id = :n and step = 'remask'", n=number)
            if state == "succeeded" and counts != ([OUT, OUT, 0] if masking else counted):
                said(f"run {number}: {counts} rows in, out, rejected")
            many = rows("select count(*) from version where run_id = :n and dataset = :d", n=number, d=name)[0][0]
            if many != (state == "succeeded") and not (state in ("failed", "cancelled") and many == 1):
                said(f"run {number} of {name} published {many} versions")
            kinds = Counter(
                kind for (kind,) in rows(
                    "select body->>'eventType' from lineage_event where run_id = :n "
                    "and body->'job'->>'name' = :name", n=number, name=name,
                )
            )  # fmt: skip
            if kinds["START"] > 1 or kinds["COMPLETE"] != (state == "succeeded"):
                said(f"run {number} was reported {dict(kinds)}")
        if rows("select 1 from run where state in ('queued', 'running')"):
            said("a run goes on")
        if rows("select 1 from part where state in ('ready', 'running')"):
            said("a part is still ready or running")
        if twice := rows(
            "select run_id, dataset from version where run_id > :n group by 1, 2 having count(*) > 1", n=before
        ):
            said(f"published twice by one run: {[tuple(row) for row in twice]}")
        if rows("select 1 from version group by dataset, number having count(*) > 1"):
            said("a version's number twice")
        for name in names:
            self._same_data(trial, name)
        if not wait_for(lambda: not rows("select 1 from lineage_event where forwarded_at is null"), 70, 0.2):
            said("a lineage event was not forwarded")
        self._no_orphans(trial)

    def _same_data(self, trial: Trial, name: str) -> None:
        for suffix, expected in zip(("", "_model"), self.expected, strict=True):
            seen = self.published(name + suffix).drop("changed", strict=False)
            if "code" in seen.columns:  # rulings mask it
                seen, expected = seen.drop("code"), expected.drop("code")
            if not seen.equals(expected):
                trial.violations.append(f"{name + suffix} is not what a run without faults publishes")

    def _no_orphans(self, trial: Trial) -> None:
        home = self.cluster.home
        sweep(home, time.time() + 2 * DAY)
        listed = {
            path for (path,) in self.cluster.rows(
                "select path from version_file f join dataset d on d.current_version_id = f.version_id"
            )
        }  # fmt: skip
        marks = "select v.marks from version v join dataset d on d.current_version_id = v.id where v.marks is not null"
        listed |= {path for (kept,) in self.cluster.rows(marks) if kept for path in kept["files"]}
        zones = (home.settings.charted_zone, home.settings.warehouse)
        left = [str(path) for zone in zones for path in zone.rglob("*") if path.is_file() and str(path) not in listed]
        done = self.cluster.rows("select run_id, step, ordinal, token from part where state = 'done'")
        kept = {
            f"run-{run}/{BEGINS[step]}{ordinal:05d}-{token}" for run, step, ordinal, token in done if step in BEGINS
        }  # fmt: skip
        raw = [path for path in home.settings.raw_zone.glob("*/*/*") if path.is_file()]
        left += [
            str(path) for path in raw
            if not any(f"{path.parent.name}/{path.name}".startswith((f"{k}-", f"{k}.")) for k in kept)
        ]  # fmt: skip
        if left:
            trial.violations.append(f"{len(left)} files are left over, like {Path(left[0]).name}")


def _rows(file: int) -> list[tuple[str, ...]]:
    rows = []
    for n in range(ROWS_A_FILE):
        country = ("Nowhere", "Denmark", "Sweden", "Denmark")[n % 4] if n % 8 < 4 else "Sweden"
        number = file * ROWS_A_FILE + n
        rows.append((f"{number}", f"person{number}@mail.example", country, f"{n}.25", f"Code{number:05d}"))
    return rows
