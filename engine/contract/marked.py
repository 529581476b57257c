"""The marks of a version: keyed so that no value can be read from them, merged by key, and counted to scores."""

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import floor
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

from core import parts
from core.models import LINE, NO_ROWS, CheckResult, Table
from engine.contract import check, score
from engine.contract.marks import NO_MOMENT, NOT_COMPUTED, NOT_TESTED, WHOLE, WRONG, Planned, age_of
from engine.contract.rows import CLOCKS_DIFFER
from engine.sql import sandbox
from engine.sql.sandbox import quoted, quoted_text

KEY = "key"
MOST_FILES = 25  # files of one version; more are written into one
_BYTES = 16  # bytes of a hash: among a billion values, two are equal by chance once in 10^21 times
_NO_VALUE = "''::BLOB"  # the hash of a row that has no value to compare
Progress = Callable[[int], None]


def salt(masking_key: bytes) -> str:
    """The secret without which a hash of a short number could be guessed."""
    return hmac.new(masking_key, b"atlas marks", hashlib.sha256).hexdigest()


def key_texts(keys: pl.DataFrame) -> pl.Series:
    """The published key of each row as one text, null where a part of it is missing; 5 and 5.0 are one key."""
    texts = []
    for column in keys.get_columns():
        text = column.cast(pl.String)
        if column.dtype.is_decimal():
            point = text.str.contains(".", literal=True)
            text = text.to_frame("t").select(
                pl.when(point).then(pl.col("t").str.strip_chars_end("0").str.strip_chars_end(".")).otherwise("t")
            ).to_series()  # fmt: skip
        texts.append(text)
    frame = pl.DataFrame({f"k{n}": text for n, text in enumerate(texts)})
    joined = [pl.col(name).str.len_bytes().cast(pl.String) + ":" + pl.col(name) for name in frame.columns]
    return frame.select(pl.concat_str(joined)).to_series()


def write(
    draft: Path, keys: Iterator[tuple[int, pl.DataFrame]], planned: Sequence[Planned], personal: frozenset[str],
    secret: str, target: Path, spill: Path, progress: Progress,
) -> str:  # fmt: skip
    """Writes the marks of a run from their draft and the keys of its rows (LINE, `key`), by number of the raw file.

    The times of columns that are `personal` are left out.
    """
    columns = {n: _written(n) for n in pq.read_schema(draft).names if n not in ("file", LINE, WHOLE)}
    for one in planned:
        if one["kind"] == "age" and one["column"] in personal:
            columns.pop(one["mark"], None)
    marks = "".join(f", {sql} AS {name}" for name, sql in columns.items())
    rows, writer = 0, None
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _connected(secret, spill) as connection:
            for number, those in keys:
                progress(rows)
                connection.register("_keys", those.to_arrow())
                kept = connection.sql(
                    f"SELECT coalesce({_hash('KEY', KEY)}, {_hash('ROW', WHOLE)}) AS {KEY}{marks} "
                    f"FROM read_parquet({quoted_text(str(draft))}) JOIN _keys USING ({LINE}) WHERE file = {number}"
                ).to_arrow_table()
                connection.unregister("_keys")
                writer = writer or pq.ParquetWriter(target, kept.schema, compression="zstd")
                writer.write_table(kept)
                rows += kept.num_rows
    finally:
        if writer:
            writer.close()
    return str(target)


def _written(name: str) -> str:
    """A mark as it is kept: of values a hash."""
    if name[0] in "ra":
        return name
    return f"coalesce({_hash(name[:1].replace('o', 'v'), name)}, {_NO_VALUE})"


def _hash(domain: str, sql: str) -> str:
    """SQL for the hash of a text. The secret is a variable: DuckDB quotes SQL in its errors."""
    return f"unhex(left(sha256(getvariable('secret') || {quoted_text(domain)} || {sql}), {2 * _BYTES}))"


def ages(path: str, columns: Collection[str]) -> list[str]:
    """The names under which marks hold times of these columns."""
    of = tuple(age_of(column) for column in columns)
    return [name for name in pq.read_schema(path).names if name.startswith(of)]


def without(path: str, names: Sequence[str], target: Path) -> None:
    """Writes marks anew without some columns."""
    file = pq.ParquetFile(path)
    kept = [name for name in file.schema_arrow.names if name not in names]
    with pq.ParquetWriter(target, file.schema_arrow.empty_table().select(kept).schema, compression="zstd") as writer:
        for batch in file.iter_batches(columns=kept):
            writer.write_batch(batch)


def _marks_of(one: Planned) -> list[str]:
    return [name for name in (one["mark"], one["own"]) if name and one["kind"]]


class Marks:
    """The marks of a version in DuckDB: of each key the rows of the last run that has read it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, paths: Sequence[str], progress: Progress) -> None:
        """`paths` are those of runs, oldest first."""
        self.connection = connection
        self._seen: list[str] = []
        self.columns = dict.fromkeys(name for path in paths for name in pq.read_schema(path).names) or {KEY: None}
        nothing = f"SELECT NULL::BLOB AS {KEY}, 0 AS run WHERE false"
        runs = [f"SELECT *, {n} AS run FROM read_parquet({quoted_text(path)})" for n, path in enumerate(paths)]
        connection.execute(f"CREATE VIEW every AS {' UNION ALL BY NAME '.join([nothing, *runs])}")
        connection.execute(
            f"CREATE TABLE later AS SELECT {KEY}, max(run) AS last FROM every WHERE run > 0 GROUP BY {KEY}"
        )
        progress(0)
        connection.execute(
            f"CREATE VIEW marks AS SELECT * EXCLUDE (run, last) FROM every LEFT JOIN later USING ({KEY}) "
            "WHERE last IS NULL OR last = run"
        )

    def unknown(self, planned: Sequence[Planned]) -> list[str]:
        """The marks of rules that some rows were not tested by."""
        asked = [name for one in planned for name in _marks_of(one)]
        return [name for name in asked if self._unmarked(name)]

    def _unmarked(self, *names: str) -> int:
        """How many rows lack some of these marks."""
        known = [f"{name} IS NOT NULL" if name in self.columns else "false" for name in names]
        return int(self._one(f"count(*) FILTER (NOT ({' AND '.join(known)}))")[0])

    def filled(self, found: str, names: Sequence[str], target: Path) -> str:
        """These marks in one file, those that were unknown taken from others by key, where a key has one row."""
        there = [name for name in pq.read_schema(found).names if name in names]
        self.connection.execute(
            f"CREATE TABLE found AS FROM read_parquet({quoted_text(found)}) "
            f"QUALIFY count(*) OVER (PARTITION BY {KEY}) = 1"
        )
        once = f"SELECT {KEY}, count(*) AS rows FROM marks GROUP BY {KEY}"
        kept = [f"marks.{name}" for name in self.columns if name not in there]
        taken = [
            f"CASE WHEN rows = 1 THEN found.{n} END" if n not in self.columns
            else f"coalesce(marks.{n}, CASE WHEN rows = 1 THEN found.{n} END)"
            for n in there
        ]  # fmt: skip
        columns = ", ".join([*kept, *(f"{sql} AS {name}" for sql, name in zip(taken, there, strict=True))])
        both = f"marks JOIN ({once}) USING ({KEY}) LEFT JOIN found USING ({KEY})"
        self.connection.execute(f"CREATE TABLE whole AS SELECT {columns} FROM {both}")
        return self._kept("whole", target)

    def into_one(self, target: Path) -> str:
        return self._kept("marks", target)

    def _kept(self, table: str, target: Path) -> str:
        self.connection.execute(f"COPY {table} TO {quoted_text(str(target))} (FORMAT parquet, COMPRESSION zstd)")
        return str(target)

    def scored(
        self, planned: Sequence[Planned], others: Mapping[str, Table], personal: frozenset[str], now: datetime,
        name: str, lost: int = 0,
    ) -> list[CheckResult]:  # fmt: skip
        """What every rule gives for the version of the dataset `name`, of which `lost` rows have no marks."""
        (rows,) = self._one("count(*)")
        results = []
        for one in planned:
            failed, tested, note, newest = 0.0, 0.0, one["note"], None
            if one["kind"] == "age" and one["column"] in personal:
                note = score.personal(one["column"])
            elif one["kind"]:
                if unknown := lost + self._unmarked(*_marks_of(one)):
                    were = "row was" if unknown == 1 else "rows were"
                    note = f"{unknown:,} older {were} not tested by this rule; to test all: run {name} --full"
                elif rows:
                    answer, note = self._answer(one, others, now, name)
                    if note is None:
                        counts = getattr(parts.load("quality dimension", one["dimension"]), "count", check.count)
                        failed, tested, note = counts(answer, one["allowed"])
                        newest = answer.get("newest")
                        note = note or (None if tested else NO_ROWS)
                else:
                    note = NO_ROWS
            results.append(
                CheckResult(one["check"], one["dimension"], one["column"], float(failed), float(tested), one["weight"],
                            note, one["fault"], newest)
            )  # fmt: skip
        return results

    def _answer(
        self, one: Planned, others: Mapping[str, Table], now: datetime, name: str
    ) -> tuple[dict[str, Any], str | None]:
        """The same figures that Soda gives of raw rows, or why there are none."""
        mark = one["mark"]
        if one["kind"] == "row":
            tested, failed, broken = self._one(
                f"count(*) FILTER ({mark} <> {NOT_TESTED}), count(*) FILTER ({mark} = {WRONG}), "
                f"count(*) FILTER ({mark} = {NOT_COMPUTED})"
            )
            note = f"it cannot be computed for {broken:,} row{'s' if broken != 1 else ''}" if broken else None
            return {"check_rows_tested": tested, "failed_rows_count": failed, "missing_count": failed}, note
        if one["kind"] == "unique":
            tested, different = self._one(
                f"count(*) FILTER ({mark} <> {_NO_VALUE}), count(DISTINCT {mark}) FILTER ({mark} <> {_NO_VALUE})"
            )
            return {"check_rows_tested": tested, "duplicate_count": tested - different}, None
        if one["kind"] == "age":
            latest = int((now + CLOCKS_DIFFER).timestamp() * 1_000_000)
            (newest,) = self._one(f"max({mark}) FILTER ({mark} > {NO_MOMENT} AND {mark} <= {latest})")
            if newest is None:
                return {}, None
            age = floor((now - datetime.fromtimestamp(0, UTC) - timedelta(microseconds=newest)).total_seconds())
            return {"freshness_in_seconds": age, "newest": now.timestamp() - age}, None
        found = self._there(one, others, name)
        if found is None:
            return {}, f"`{str(one['target']).partition('.')[0]}` was published anew meanwhile; run {name} again"
        tested, failed = self._one(
            f"count(*) FILTER ({mark} <> {_NO_VALUE}), count(*) FILTER ({mark} <> {_NO_VALUE} AND value IS NULL)",
            f"marks LEFT JOIN ({found}) ON {mark} = value",
        )
        return {"check_rows_tested": tested, "failed_rows_count": failed}, None

    def _there(self, one: Planned, others: Mapping[str, Table], name: str) -> str | None:
        """SQL for the hashes of the values that the other dataset has; None if they cannot be compared any more."""
        assert one["target"]
        dataset, _, other = one["target"].partition(".")
        if dataset == name:
            return f"SELECT DISTINCT {one['own']} AS value FROM marks"
        table = others.get(dataset)
        if table is None or other not in table.columns or (other in table.masked) != one["masked"]:
            return None
        view = f"there_{len(self._seen)}"
        self._seen.append(view)
        sandbox.view(self.connection, view, table.files, table.columns)
        value = f"CAST(TRY_CAST({quoted(other)} AS {one['sought_as']}) AS VARCHAR)"
        return f"SELECT DISTINCT {_hash('v', value)} AS value FROM {view} WHERE {value} IS NOT NULL"

    def _one(self, figures: str, of: str = "marks") -> tuple[Any, ...]:
        row = self.connection.execute(f"SELECT {figures} FROM {of}").fetchone()
        assert row is not None
        return row


@contextmanager
def opened(paths: Sequence[str], secret: str, spill: Path, progress: Progress) -> Iterator[Marks]:
    with _connected(secret, spill) as connection:
        yield Marks(connection, paths, progress)


@contextmanager
def _connected(secret: str, spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with sandbox.open_duckdb("UTC", spill) as connection:
        connection.execute("SET VARIABLE secret = ?", [secret])
        yield connection
