"""Lists the raw rows that break a hard rule, each with the first it breaks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
from typing_extensions import TypedDict

from core.errors import BadPipeline
from core.models import LINE
from core.pipeline import Pipeline
from engine.contract.check import Check, failed_rows, filled
from engine.contract.rows import FILE, ROWS, Raw, Rows, ask, opened
from engine.explore import decide
from engine.sql import contained, sandbox
from engine.sql.child import Limits, Link
from engine.sql.sandbox import quoted

LIST = f"{LINE}_rejected"  # the table of the lines to reject
TWICE = f"{LINE}_twice"  # the table of the lines whose key another row has, and whether a row is one of them
MOST_HASHES = 20_000_000  # rows whose keys are compared in memory, 8 bytes each
_ONE_TEXT = {"text", "integer", "date"}  # kinds whose equal values are written alike
SAMPLES = 3  # values shown of the rows that were rejected for one cause
SHARED_BY = 10  # rows at least, for a value to be shown


class Cause(TypedDict):
    """A rule that rows break: how many, the first of their lines, and values that many of them share.

    `twice`: the rule is the pipeline's key.
    """

    twice: bool
    reason: str
    rule: str
    column: str | None
    rows: int
    lines: list[tuple[int, int]]
    samples: list[tuple[str, int]]
    others: int


@dataclass
class Rejects:
    """The rows to reject; `causes` groups them, their lines (`file`, LINE, `cause`) stand in `path`.

    `twice`: how many of them are rejected because another row has their key.
    """

    rows: int = 0
    twice: int = 0
    causes: list[dict[str, Any]] = field(default_factory=list)
    path: Path | None = None


def rejected(
    pipeline: Pipeline, raw: Raw, path: Path, wanted: Callable[[], None], limits: Limits = contained.DEFAULT,
    later: bool = False,
) -> Rejects:  # fmt: skip
    """Writes the lines of the rows to reject to `path`, if there are any. Raises as `rows.ask`.

    Of rows with one key one stays: that with the highest cursor, and of those the last if `later`, else the first.
    """
    spill, alike = path.with_suffix(".spill"), _some_alike(raw, pipeline.key)
    causes = ask("reject", pipeline, raw, path, spill, alike, later, returns=list[Cause], limits=limits, wanted=wanted,
                 leaves=[path, spill])  # fmt: skip
    twice = sum(cause["rows"] for cause in causes if cause["twice"])
    rows = sum(cause["rows"] for cause in causes)
    shown = [{name: value for name, value in cause.items() if name != "twice"} for cause in causes]
    return Rejects(rows, twice, shown, path if causes else None)


def _some_alike(raw: Raw, key: list[str]) -> bool:
    """Whether rows may share a key; False only if none do. In nearly all runs this is all that the key costs."""
    kinds = {raw.types[column].kind if column in raw.types else None for column in key}
    if not kinds <= _ONE_TEXT or sum(file.rows for file in raw.files) > MOST_HASHES:
        return True
    hashes = [pl.Series([], dtype=pl.UInt64)]
    for file in raw.files if key else ():
        if set(key) <= set(pq.read_schema(file.path).names):  # else all of its keys are null
            hashes.append(pl.read_parquet(file.path, columns=key, glob=False).drop_nulls().hash_rows(0))
    together = pl.concat(hashes)
    return together.n_unique() < len(together)


def find(
    pipeline: Pipeline, raw: Raw, path: Path, spill: Path, alike: bool, later: bool, link: Link
) -> list[dict[str, Any]]:
    """What `rejected` has its child do: writes the lines and gives the causes. Raises BadPipeline."""
    # a row without its key could not be told from others when it comes again
    keys = pipeline.key if pipeline.source.get("cursor") else []
    with opened(pipeline, raw, spill, link, pipeline.quality.reject_rows) as (rows, checks):
        hard = [
            *(_fits(rows, column) for column in raw.bad),
            *map(_has_a_key, keys),
            *(check for check in checks if check.soda),
        ]
        hard = [check for check in hard if check.failing or check.duplicate_of]
        if alike and pipeline.key and _list_twice(rows, pipeline, later):
            # these rows come first: what they have in common with the row that stays must not reject that one
            hard = [_key(pipeline.key), *(c for c in hard if set(c.duplicate_of) != set(pipeline.key))]
        if not hard:
            return []
        try:
            _list(rows.connection, hard)
        # a rule that cannot be computed rejects nothing, and the score says that it was not measured
        except duckdb.Error:
            hard = [check for check in hard if _runs(rows.connection, check)]
            try:
                _list(rows.connection, hard)
            except duckdb.Error as error:
                raise BadPipeline(f"The rows to reject cannot be found: {sandbox.running_fault(error)}") from None
        causes = _causes(rows, hard)
        if causes:
            pq.write_table(rows.connection.table(LIST).to_arrow_table(), path, compression="zstd")
    return causes


def _list_twice(rows: Rows, pipeline: Pipeline, later: bool) -> bool:
    """Lists the rows whose key another row has that stays; False if there are none, as nearly always."""
    key = ", ".join(quoted(column) for column in pipeline.key)
    there = f"FROM {ROWS} WHERE {filled(pipeline.key)}"
    query = f"SELECT {key} {there} GROUP BY ALL HAVING count(*) > 1"
    rows.connection.execute(f"CREATE TEMP TABLE {TWICE}_keys AS {query}")
    if not rows.connection.execute(f"SELECT count(*) FROM {TWICE}_keys").fetchall()[0][0]:
        return False
    cursor = str(pipeline.source.get("cursor") or "")
    ordered = cursor in rows.types and rows.types[cursor].kind != "text"
    order = [f"{quoted(cursor)} DESC NULLS LAST"] if ordered else []
    way = "DESC" if later or cursor else "ASC"
    order += [f"{FILE} {way}", f"{LINE} {way}"]
    rows.connection.execute(
        f"CREATE TEMP TABLE {TWICE} AS SELECT {FILE} AS file, {LINE} AS line FROM ("
        f"SELECT {FILE}, {LINE}, row_number() OVER (PARTITION BY {key} ORDER BY {', '.join(order)}) AS {LINE}_nth "
        f"FROM {ROWS} SEMI JOIN {TWICE}_keys USING ({key})) WHERE {LINE}_nth > 1"
    )
    return True


def _key(columns: list[str]) -> Check:
    name = ", ".join(columns)
    verb = "comes" if len(columns) == 1 else "come together"
    rule, fault = f"{name} {verb} once", f"{name} {verb} again in a row that stays"
    return failed_rows(rule, fault, "uniqueness", columns[0] if len(columns) == 1 else None, 1, TWICE, "true")


def _has_a_key(column: str) -> Check:
    none = f"{quoted(column)} IS NULL"  # a value of the wrong type is no key, and is rejected for that before
    return failed_rows(f"{column} is filled in", f"{column} is empty", "completeness", column, 1, none, "true")


def _fits(rows: Rows, column: str) -> Check:
    why = decide.reason(column, rows.types[column])
    return failed_rows(why.replace(" is not ", " is "), why, "validity", column, 1, rows.misfits[column], "true")


def _runs(connection: duckdb.DuckDBPyConnection, check: Check) -> bool:
    if _is_key(check):
        return True
    try:
        connection.execute(f"SELECT count(*) FROM {ROWS} WHERE {check.failing or 'true'}").fetchall()
    except duckdb.Error:
        return False
    return True


def _list(connection: duckdb.DuckDBPyConnection, hard: list[Check]) -> None:
    windows, conditions, there = [], ["WHEN false THEN 0"], ROWS
    if any(map(_is_key, hard)):
        there = f"(SELECT r.*, t.line IS NOT NULL AS {TWICE} FROM {ROWS} r LEFT JOIN {TWICE} t " \
                f"ON r.{FILE} = t.file AND r.{LINE} = t.line)"  # fmt: skip
    among = f", {TWICE}" if there != ROWS else ""
    for number, check in enumerate(hard):
        if check.duplicate_of:
            columns = ", ".join(quoted(column) for column in check.duplicate_of)
            windows.append(
                f", row_number() OVER (PARTITION BY {columns}{among} ORDER BY {FILE}, {LINE}) AS {LINE}_same_{number}"
            )
            conditions.append(f"WHEN {LINE}_same_{number} > 1 AND {filled(check.duplicate_of)} THEN {number}")
        else:
            conditions.append(f"WHEN {check.failing} THEN {number}")
    connection.execute(
        f"CREATE OR REPLACE TABLE {LIST} AS SELECT {FILE} AS file, {LINE}, cause FROM ("
        f"SELECT {FILE}, {LINE}, CASE {' '.join(conditions)} END AS cause "
        f"FROM (SELECT *{''.join(windows)} FROM {there})"
        ") WHERE cause IS NOT NULL ORDER BY ALL"
    )


def _is_key(check: Check) -> bool:
    """Whether a check is the pipeline's own key, which looks into a list that was made for it."""
    return check.failing is not None and TWICE in check.failing


def _causes(rows: Rows, hard: list[Check]) -> list[dict[str, Any]]:
    groups = rows.connection.execute(
        f"SELECT cause, count(*), min((file, {LINE}), 5) FROM {LIST} GROUP BY cause ORDER BY cause"
    ).fetchall()
    return [
        {
            "reason": hard[cause].fault,
            "rule": hard[cause].name,
            "column": hard[cause].column,
            "rows": count,
            "lines": lines,
            "twice": _is_key(hard[cause]),
            **_values(rows, cause, hard[cause].column),
        }
        for cause, count, lines in groups
    ]


def _values(rows: Rows, cause: int, column: str | None) -> dict[str, Any]:
    """What stands in a column of the rows rejected for a cause: the values that many share, how many others there are.

    They are raw, and may leave the closed zone only if they are not personal.
    """
    if column is None:
        return {"samples": [], "others": 0}
    found = rows.connection.execute(
        f"SELECT value, count(*) AS shared_by, count(*) OVER () FROM ("
        f"SELECT {rows.as_written(column)} AS value FROM {ROWS} JOIN ("
        f"SELECT file AS {LINE}_in, {LINE} AS {LINE}_at FROM {LIST} WHERE cause = {cause}"
        f") ON {LINE}_in = {FILE} AND {LINE}_at = {LINE}"
        f") WHERE value IS NOT NULL GROUP BY value ORDER BY shared_by DESC, value LIMIT {SAMPLES}"
    ).fetchall()
    shared = [[value, count] for value, count, _ in found if count >= SHARED_BY]
    return {"samples": shared, "others": (found[0][2] if found else 0) - len(shared)}
