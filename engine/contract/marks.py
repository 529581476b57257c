"""Marks: what each row says of each rule, kept beside a version that is merged, and what it is scored by."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import TypedDict

from core.models import LINE
from core.pipeline import Pipeline
from engine.contract.check import Check, filled
from engine.contract.rows import FILE, ROWS, Raw, Rows, ask, opened
from engine.sql import contained, sandbox
from engine.sql.child import Limits, Link
from engine.sql.sandbox import quoted, quoted_text

NOT_TESTED, RIGHT, WRONG, NOT_COMPUTED = range(4)  # the mark of a row by a rule that looks at single rows
NO_MOMENT = -(2**62)  # the mark of a row whose time is missing, where others are microseconds since 1970
WHOLE = "whole"  # the text of a row that has no key
ROWS_AT_ONCE = 65_536


class Planned(TypedDict):
    """A check whose rows are marked; `mark` names its column among the marks. Without `kind` it cannot be measured."""

    check: str
    dimension: str
    column: str | None
    weight: float
    fault: str
    note: str | None
    allowed: float
    kind: str  # row, unique, value, age or nothing
    mark: str
    target: str | None  # value: the `dataset.column` in which it must stand
    sought_as: str  # value: the DuckDB type in which both sides are compared
    masked: bool  # value: it is compared as the column is masked
    own: str  # value: the column of marks in which a dataset that references itself keeps the other side


Plan = tuple[Planned, dict[str, str]]  # how a check is marked, and the SQL of its columns by name


def marked(
    pipeline: Pipeline, raw: Raw, path: Path, spill: Path, wanted: Callable[[], None],
    limits: Limits = contained.DEFAULT,
) -> list[Planned]:  # fmt: skip
    """Writes a draft of the marks to `path`: it holds raw values. Raises as `rows.ask`."""
    return ask("mark", pipeline, raw, path, spill, returns=list[Planned], limits=limits, wanted=wanted,
               leaves=[path, spill])  # fmt: skip


def mark(pipeline: Pipeline, raw: Raw, path: Path, spill: Path, link: Link) -> list[Planned]:
    """What `marked` has its child do."""
    with opened(pipeline, raw, spill, link, seeks=True) as (rows, checks):
        planned = [_planned(rows, check) for check in checks]
        planned = [p if _suffices(rows, c, p[1]) else _without(p, None) for c, p in zip(checks, planned, strict=True)]
        if not _runs(rows, [sql for _, columns in planned for sql in columns.values()]):
            planned = [_that_runs(rows, *one) for one in planned]
        marks = {name: sql for _, columns in planned for name, sql in columns.items()}
        _write(rows, marks, _whole(rows, pipeline.key), path)
    return [one for one, _ in planned]


def _planned(rows: Rows, check: Check) -> Plan:
    one = Planned(
        check=check.name, dimension=check.dimension, column=check.column, weight=check.weight, fault=check.fault,
        note=check.note, allowed=check.allowed, kind="", mark="", target=check.target, sought_as="", masked=False,
        own="",
    )  # fmt: skip
    if check.soda is None:
        return one, {}
    if check.duplicate_of:
        one["kind"] = "unique"
        one["fault"] = f"{', '.join(check.duplicate_of)} comes twice"
        texts = [f"CAST({quoted(column)} AS VARCHAR)" for column in check.duplicate_of]
        sql = f"CASE WHEN {filled(check.duplicate_of)} THEN {_together(texts)} END"
    elif check.target:
        assert check.column
        sought = rows.sought[check.column, check.target]
        one["kind"], one["sought_as"], one["masked"] = "value", sought.kind, sought.masked
        sql, dataset, other = sought.sql, *check.target.split(".", 1)
        form = rows.raw.forms.get(check.column, "") if sought.masked else ""
        one["mark"] = f"v_{_signed(rows, [check.target, sought.kind, form, check.column])}"
        if dataset == rows.name:
            one["own"] = f"o{one['mark']}"
            return one, {one["mark"]: sql, one["own"]: f"CAST(CAST({quoted(other)} AS {sought.kind}) AS VARCHAR)"}
        return one, {one["mark"]: sql}
    elif check.row:
        tested, failing = check.row
        one["kind"] = "row"
        sql = f"CASE WHEN ({tested}) IS NOT TRUE THEN {NOT_TESTED} WHEN {failing} THEN {WRONG} ELSE {RIGHT} END"
    else:
        assert check.column
        one["kind"] = "age"
        sql = f"epoch_us(CAST({quoted(check.column)} AS TIMESTAMPTZ))"
    start = age_of(check.column) if one["kind"] == "age" and check.column else f"{one['kind'][0]}_"
    one["mark"] = f"{start}{_signed(rows, [sql])}"
    return one, {one["mark"]: sql}


def age_of(column: str) -> str:
    """How the names of marks begin that hold the times of a column."""
    return f"a_{hashlib.sha256(column.encode()).hexdigest()[:16]}_"


def _suffices(rows: Rows, check: Check, columns: dict[str, str]) -> bool:
    """Whether the rows at hand hold what the rule looks at: published ones may be masked, or say the same otherwise."""
    plain = rows.raw.plain
    if plain is None:
        return True
    if check.target and rows.sought[check.column or "", check.target].masked:
        return rows.raw.forms.get(check.column or "") != "keep"  # it is compared as it is masked
    text = json.dumps(list(columns.values()))
    if any(name in text for name in rows.texts.values()):
        return False
    return check.dimension == "completeness" or _named(rows, text).keys() <= plain  # masking leaves empty cells empty


def _named(rows: Rows, text: str) -> dict[str, str]:
    """The columns that SQL in JSON may speak of, with their types."""
    return {c: str(kind) for c, kind in rows.types.items() if json.dumps(c)[1:-1].casefold() in text.casefold()}


def _signed(rows: Rows, words: list[str]) -> str:
    """Tells rules apart by all that a row's mark depends on; two runs give the same rule the same name."""
    text = json.dumps(words)
    for column, name in rows.texts.items():
        text = re.sub(rf"\b{name}\b", json.dumps(f"{column} as written")[1:-1], text)
    for column, name in rows.misfits.items():
        text = re.sub(rf"\b{name}\b", json.dumps(f"{column} is no value of its type")[1:-1], text)
    named = _named(rows, text)
    clock = rows.raw.timezone if "date" in " ".join(named.values()) else ""
    return hashlib.sha256(json.dumps([text, named, clock]).encode()).hexdigest()[:16]


def _together(texts: list[str]) -> str:
    """Several texts as one, so that no two lists of texts give the same."""
    return " || ".join(f"length({text}) || ':' || {text}" for text in texts)


def _that_runs(rows: Rows, one: Planned, columns: dict[str, str]) -> Plan:
    """The same, or why its rows cannot be marked. Where a rule fails over a row, the row is marked so, and no other."""
    for name, sql in columns.items():
        try:
            rows.connection.execute(f"SELECT min({sql}) FROM {ROWS}").fetchall()
        except duckdb.Error as error:
            tried = f"coalesce(TRY({sql}), {NOT_COMPUTED})"
            if not name.startswith("r_") or not _runs(rows, [tried]):
                return _without((one, columns), sandbox.running_fault(error).removesuffix("."))
            columns = {name: tried}
    return one, columns


def _runs(rows: Rows, columns: list[str]) -> bool:
    try:
        rows.connection.execute(f"SELECT {', '.join(f'min({sql})' for sql in columns) or '1'} FROM {ROWS}").fetchall()
    except duckdb.Error:
        return False
    return True


def _without(plan: Plan, why: str | None) -> Plan:
    return {**plan[0], "kind": "", "note": why or plan[0]["note"]}, {}


def _whole(rows: Rows, key: list[str]) -> str:
    """The text of a row without its key: with nothing else can it be found again."""
    texts = [f"coalesce({quoted_text(c)} || {rows.as_written(c)}, '')" for c in sorted(rows.types)]
    lacks = " OR ".join(f"{quoted(column)} IS NULL" for column in key)
    return f"CASE WHEN {lacks or 'true'} THEN {_together(texts)} END"


def _write(rows: Rows, columns: dict[str, str], whole: str, path: Path) -> None:
    marks = "".join(f", {_stored(name, sql)} AS {name}" for name, sql in columns.items())
    query = f"SELECT {FILE} AS file, {LINE}, {whole} AS {WHOLE}{marks} FROM {ROWS}"
    batches = rows.connection.sql(query).to_arrow_reader(ROWS_AT_ONCE)
    with pq.ParquetWriter(path, batches.schema) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]))


def _stored(name: str, sql: str) -> str:
    if name.startswith("r_"):
        return f"CAST({sql} AS UTINYINT)"
    return f"coalesce({sql}, {NO_MOMENT})" if name.startswith("a_") else f"CAST({sql} AS VARCHAR)"
