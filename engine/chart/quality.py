"""Measures a contract with Soda on all raw rows, and lists the rows that break a hard rule."""

import json
import logging
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

from core import parts
from core.errors import BadPipeline, SourceUnreadable
from core.models import DIMENSIONS, LINE, CheckResult, ColumnType, RawFile, Table
from core.pipeline import Pipeline
from engine import sandbox
from engine.chart.check import Check, failed_rows, filled
from engine.chart.dimensions.timeliness import NOW
from engine.explore import types as column_types
from engine.sandbox import quoted, quoted_text

# Soda reads both when it is imported: it would report home and load the project's .env
os.environ["SODA_CORE_TELEMETRY_ENABLED"] = "false"
os.environ["PYTHON_DOTENV_DISABLED"] = "1"

FILE = f"{LINE}_file"  # which raw file a row stands in; no column of a source begins with LINE
CLOCKS_DIFFER = timedelta(hours=1)  # a source may be a little ahead of us
ROWS = "rows"  # the view of all raw rows, typed
_ONE_AT_A_TIME = threading.Lock()  # Soda: two threads break its one parser, and its list of checks while it loads
SAMPLES = 3  # values shown of the rows that were rejected for one cause
SHARED_BY = 10  # rows at least, for a value to be shown
_NUMBERS = ("integer", "decimal")
_NUMERIC = ("BIGINT", "INTEGER", "HUGEINT", "DECIMAL", "DOUBLE")
MaskValues = Callable[[str, pl.Series], pl.Series]


@dataclass(frozen=True)
class Raw:
    """All raw rows of a run: files in source order, and what their columns hold."""

    files: Sequence[RawFile]
    types: Mapping[str, ColumnType]
    timezone: str


@dataclass
class Verified:
    """What the contract measured; `causes` groups the rows it rejects, whose lines stand in `rejects_path`."""

    results: list[CheckResult]
    rejected: int = 0
    causes: list[dict[str, Any]] = field(default_factory=list)
    rejects_path: Path | None = None


def verify(
    pipeline: Pipeline,
    raw: Raw,
    others: Mapping[str, Table],
    mask_values: MaskValues,
    now: datetime,
    rejects_path: Path,
) -> Verified:
    """Measures every rule and writes the lines to reject (`file`, LINE, `cause`: which of the causes).

    `mask_values` masks the values of one of this dataset's columns, to compare them with another's masked ones.
    Raises BadPipeline if a rule names a column that is not there, or is no expression.
    """
    _names_are_there(pipeline, raw.types)
    _names_are_told_apart(raw.types)
    with sandbox.open_duckdb(raw.timezone, rejects_path.with_suffix(".spill")) as connection:
        data = _Data(connection, pipeline.name, raw, others, mask_values, now)
        try:
            planned = _checks(pipeline, data)
        except BadPipeline as error:
            raise BadPipeline(f"`{pipeline.name}.yml`: {error.message}", hint=error.hint) from error
        data.close()
        checks = [data.tried(check) for check in planned]
        measured = _measure(connection, [check for check in checks if check.soda], now)
        results = [_result(connection, check, measured.get(id(check))) for check in checks]
        hard = [check for check in checks if id(check) in measured and check.dimension in pipeline.quality.reject_rows]
        if pipeline.source.get("cursor"):  # a row without its key could not be told from others when it comes again
            hard = [*map(_has_a_key, pipeline.key), *hard]
        rejected, causes = _reject(connection, hard, rejects_path, data)
    return Verified(results, rejected, causes, rejects_path if rejected else None)


def _names_are_there(pipeline: Pipeline, types: Mapping[str, ColumnType]) -> None:
    contract = pipeline.quality
    named = [rule.column for rule in contract.completeness] + [rule.column for rule in contract.validity]
    named += [rule.column for rule in contract.accuracy if rule.column]
    named += [rule.column for rule in contract.consistency if rule.column]
    named += [column for rule in contract.uniqueness for column in rule.columns]
    named += [contract.timeliness.column] if contract.timeliness else []
    named += [*pipeline.key, *pipeline.subject.values(), *pipeline.privacy.columns]
    for name in named:
        if name not in types:
            raise BadPipeline(
                f"`{pipeline.name}.yml` names the column `{name}`, which the source does not have.",
                hint=f"It has: {', '.join(types)}.",
            )


def _names_are_told_apart(types: Mapping[str, ColumnType]) -> None:
    """SQL knows no capital letters. No file has both, but of two files each may have one."""
    same: dict[str, list[str]] = {}
    for name in types:
        same.setdefault(name.casefold(), []).append(name)
    for names in same.values():
        if len(names) > 1:
            raise SourceUnreadable(
                f"Its files write one column in {len(names)} ways: {', '.join(f'`{name}`' for name in names)}.",
                hint="Give it the same name in each; capital letters make no difference.",
            )


def _checks(pipeline: Pipeline, data: "_Data") -> list[Check]:
    """All checks, in the order of the six dimensions and of the file."""
    return [c for name in DIMENSIONS for c in parts.load("quality dimension", name).checks(pipeline.quality, data)]


class _Data:
    """The raw rows in DuckDB, as the dimensions ask for them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        raw: Raw,
        others: Mapping[str, Table],
        mask_values: MaskValues,
        now: datetime,
    ) -> None:
        self.connection, self.raw, self.mask_values, self.now = connection, raw, mask_values, now
        self.types = raw.types
        # a dataset may reference itself: its own rows, before anything in them is masked
        itself = Table(name, (), {column: column_types.duckdb_type(kind) for column, kind in raw.types.items()})
        self.name, self.others = name, {**others, name: itself}
        self._compared = 0
        typed = [column for column, kind in raw.types.items() if kind.kind != "text"]
        self._texts = {column: f"{LINE}_text_{number}" for number, column in enumerate(typed)}
        dated = [column for column in typed if raw.types[column].kind in ("date", "datetime")]
        self._timestamps = {column: f"{LINE}_at_{number}" for number, column in enumerate(dated)}
        self._make_view()

    def _make_view(self) -> None:
        typed = [f"{column_types.sql(quoted(c), k, self.raw.timezone)} AS {quoted(c)}" for c, k in self.types.items()]
        moments = [self._moment(column, name) for column, name in self._timestamps.items()]
        known = ", ".join(quoted(column) for column in self.types)
        texts = ", ".join(f"NULL::VARCHAR AS {quoted(column)}" for column in self.types)
        files = [f"SELECT NULL::INT AS {FILE}, NULL::BIGINT AS {LINE}, {texts} WHERE false"]
        # a file of a glob may lack columns that others have: by name, they are null in it
        files += [
            f"SELECT {number} AS {FILE}, * FROM read_parquet({quoted_text(file.path)})"
            for number, file in enumerate(self.raw.files)
        ]
        written = [f"{quoted(column)} AS {name}" for column, name in self._texts.items()]
        union = " UNION ALL BY NAME ".join(files)
        typed_rows = f"SELECT {', '.join([FILE, LINE, *typed, *written])} FROM ({union})"
        columns = ", ".join([FILE, LINE, known, *self._texts.values(), *moments])
        self.connection.execute(f"CREATE VIEW {ROWS} AS SELECT {columns} FROM ({typed_rows})")

    def _moment(self, column: str, name: str) -> str:
        """The moments of a column; none in the future: one slip of a finger would make stale data fresh for years."""
        moment = f"CAST({quoted(column)} AS TIMESTAMPTZ)"
        latest = (self.now.astimezone(UTC) + CLOCKS_DIFFER).isoformat()
        return f"CASE WHEN {moment} <= TIMESTAMPTZ {quoted_text(latest)} THEN {moment} END AS {name}"

    def timestamp(self, column: str) -> str:
        return self._timestamps[column]

    def as_written(self, column: str) -> str:
        return self._texts.get(column, quoted(column))

    def expression(self, sql: str) -> str:
        return sandbox.check_expression(sql, list(self.types))

    def missing_in(self, column: str, target: str) -> tuple[str | None, str | None]:
        """Numbers are compared as numbers, all else as text: masked with masked, if the other dataset's are masked."""
        dataset, _, other = target.partition(".")
        if dataset not in self.others:
            return None, f"waits for {dataset}"
        table = self.others[dataset]
        if other not in table.columns:
            raise BadPipeline(f"`{dataset}` has no column `{other}`.", hint=f"It has: {', '.join(table.columns)}.")
        name = f"{LINE}_missing_{self._compared}"
        self._compared += 1
        mine, masked = quoted(column), other in table.masked
        numbers = not masked and self.types[column].kind in _NUMBERS and table.columns[other].startswith(_NUMERIC)
        kind = "DECIMAL(38,6)" if numbers else "VARCHAR"
        self.connection.execute(
            f"CREATE TABLE {name} AS SELECT DISTINCT CAST({mine} AS VARCHAR) AS value, "
            f"CAST({mine} AS {kind}) AS sought FROM {ROWS} WHERE {mine} IS NOT NULL"
        )
        if masked and not self._mask(name, column):
            return None, f"{target} is masked and {column} is not"
        there = ROWS
        if dataset != self.name:
            there = f"{name}_there"
            sandbox.view(self.connection, there, table.files, table.columns)
        self.connection.execute(
            f"DELETE FROM {name} WHERE sought IN (SELECT CAST({quoted(other)} AS {kind}) FROM {there})"
        )
        return f"CAST({mine} AS VARCHAR) IN (SELECT value FROM {name})", None

    def _mask(self, name: str, column: str) -> bool:
        """Masks the values sought; False if this column is not masked, so that nothing could be found."""
        values = self.connection.table(name).pl()["value"]
        frame = pl.DataFrame({"value": values, "sought": self.mask_values(column, values.alias(column))})
        self.connection.register("_masked", frame.to_arrow())
        self.connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT value, sought FROM _masked")
        self.connection.unregister("_masked")
        return frame.is_empty() or not (frame["value"] == frame["sought"]).all()

    def tried(self, check: Check) -> Check:
        """The check, or the same as not measured if it cannot be planned: one must not spoil the others."""
        if check.soda is None:
            return check
        if "${" in json.dumps([check.soda, check.soda_column]):  # Soda would put a variable there
            return replace(check, soda=None, note="`${` cannot stand in a rule")
        if check.failing is None:
            return check
        try:
            self.connection.execute(f"EXPLAIN SELECT count(*) FROM {ROWS} WHERE {check.failing}")
            if check.holds and (kind := self._type(check.holds)) not in ("BOOLEAN", '"NULL"', "NULL"):
                return replace(check, soda=None, note=f"it is no condition: it gives {kind}")
        except duckdb.Error as error:
            return replace(check, soda=None, note=sandbox.planning_fault(error).removesuffix("."))
        return check

    def _type(self, sql: str) -> str:
        return str(self.connection.sql(f"SELECT {sql} FROM {ROWS}").types[0])

    def close(self) -> None:
        """From here on only the raw files can be read, and what was compared is kept."""
        sandbox.lock(self.connection, [Path(file.path) for file in self.raw.files])


def _measure(connection: duckdb.DuckDBPyConnection, checks: list[Check], now: datetime) -> dict[int, Mapping[str, Any]]:
    """What Soda measured, by check. If one check breaks them all, each is asked alone."""
    measured = _ask_soda(connection, checks, now) if checks else {}
    if len(measured) < len(checks) and len(checks) > 1:
        for check in checks:
            if id(check) not in measured:
                measured |= _ask_soda(connection, [check], now)
    return measured


def _ask_soda(
    connection: duckdb.DuckDBPyConnection, checks: list[Check], now: datetime
) -> dict[int, Mapping[str, Any]]:
    with _ONE_AT_A_TIME:
        from soda_core.common.yaml import ContractYamlSource
        from soda_core.contracts.contract_verification import CheckOutcome, ContractVerificationSession
        from soda_duckdb.common.data_sources.duckdb_data_source import DuckDBDataSourceImpl

        # it logs what DuckDB says of a broken query, and DuckDB quotes values
        logging.getLogger("soda").setLevel(logging.CRITICAL + 1)
        session = ContractVerificationSession.execute(
            contract_yaml_sources=[ContractYamlSource.from_str(_as_yaml(_contract(checks)))],
            data_source_impls=[DuckDBDataSourceImpl.from_existing_cursor(connection.cursor(), name="raw")],
            variables={NOW: now.astimezone(UTC).isoformat()},
        )
    measured: dict[int, Mapping[str, Any]] = {}
    for result in session.results[0].check_results:
        if result.outcome in (CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.WARN):
            values = dict(result.diagnostic_metric_values or {})
            values["freshness_in_seconds"] = age = getattr(result, "freshness_in_seconds", None)
            values["newest"] = None if age is None else now.timestamp() - float(age)
            measured[id(checks[int(result.check.attributes["atlas"])])] = values
    return measured


def _contract(checks: list[Check]) -> dict[str, Any]:
    """The contract in Soda's language."""
    columns: dict[str, list[Any]] = {}
    whole: list[Any] = []
    for number, check in enumerate(checks):
        assert check.soda is not None
        ((kind, body),) = check.soda.items()
        entry = {kind: {**body, "qualifier": f"q{number}", "attributes": {"atlas": str(number)}}}
        (columns.setdefault(check.soda_column, []) if check.soda_column else whole).append(entry)
    contract: dict[str, Any] = {
        "dataset": f"raw/main/{ROWS}",
        "variables": {NOW: {}},
        "columns": [{"name": name, "checks": found} for name, found in columns.items()],
    }
    return {**contract, "checks": whole} if whole else contract


def _as_yaml(contract: dict[str, Any]) -> str:
    """JSON, which is YAML but for the letters that one of them escapes in two halves, breaks at or refuses."""
    text = json.dumps(contract, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _result(connection: duckdb.DuckDBPyConnection, check: Check, answer: Mapping[str, Any] | None) -> CheckResult:
    failed, tested, note = 0.0, 0.0, check.note
    newest = answer.get("newest") if answer else None
    if answer is not None:
        failed, tested, note = check.count(answer)
        if not tested:
            note = note or "no row to test"
    elif check.soda:
        note = _why_not(connection, check)
    fault = f"{', '.join(check.duplicate_of)} comes twice" if check.duplicate_of else check.fault
    return CheckResult(
        check.name,
        check.dimension,
        check.column,
        float(failed or 0),
        float(tested or 0),
        check.weight,
        note,
        fault,
        newest,
    )


def _has_a_key(column: str) -> Check:
    none = f"{quoted(column)} IS NULL"
    return failed_rows(f"{column} is filled in", f"{column} is empty", "completeness", column, 1, none, "true")


def _why_not(connection: duckdb.DuckDBPyConnection, check: Check) -> str:
    """Why a check that could be planned could not be measured."""
    try:
        connection.execute(f"SELECT count(*) FROM {ROWS} WHERE {check.failing or 'true'}").fetchall()
    except duckdb.Error as error:
        return sandbox.running_fault(error).removesuffix(".")
    return "Soda could not measure it"


def _reject(
    connection: duckdb.DuckDBPyConnection, checks: list[Check], path: Path, data: "_Data"
) -> tuple[int, list[dict[str, Any]]]:
    """Writes the lines of the rows that fail one of these checks, each with the first it fails."""
    hard = [check for check in checks if check.failing or check.duplicate_of]
    if not hard:
        return 0, []
    windows, conditions = [], []
    for number, check in enumerate(hard):
        if check.duplicate_of:
            columns = ", ".join(quoted(column) for column in check.duplicate_of)
            windows.append(
                f", row_number() OVER (PARTITION BY {columns} ORDER BY {FILE}, {LINE}) AS {LINE}_same_{number}"
            )
            conditions.append(f"WHEN {LINE}_same_{number} > 1 AND {filled(check.duplicate_of)} THEN {number}")
        else:
            conditions.append(f"WHEN {check.failing} THEN {number}")
    try:
        connection.execute(
            f"CREATE TABLE {LINE}_rejected AS SELECT {FILE} AS file, {LINE}, cause FROM ("
            f"SELECT {FILE}, {LINE}, CASE {' '.join(conditions)} END AS cause "
            f"FROM (SELECT *{''.join(windows)} FROM {ROWS})"
            ") WHERE cause IS NOT NULL ORDER BY ALL"
        )
    except duckdb.Error as error:
        raise BadPipeline(f"The rows to reject cannot be found: {sandbox.running_fault(error)}") from None
    groups = connection.execute(
        f"SELECT cause, count(*), min((file, {LINE}), 5) FROM {LINE}_rejected GROUP BY cause ORDER BY cause"
    ).fetchall()
    causes = [
        {
            "reason": hard[cause].fault,
            "rule": hard[cause].name,
            "column": hard[cause].column,
            "rows": rows,
            "lines": lines,
            **_values(connection, cause, hard[cause].column, data),
        }
        for cause, rows, lines in groups
    ]
    if causes:
        pq.write_table(connection.table(f"{LINE}_rejected").to_arrow_table(), path, compression="zstd")
    return sum(cause["rows"] for cause in causes), causes


def _values(connection: duckdb.DuckDBPyConnection, cause: int, column: str | None, data: "_Data") -> dict[str, Any]:
    """What stands in a column of the rows rejected for a cause: the values that many share, how many others there are.

    They are raw, and may leave the closed zone only if they are not personal.
    """
    if column is None:
        return {"samples": [], "others": 0}
    found = connection.execute(
        f"SELECT value, count(*) AS rows, count(*) OVER () FROM ("
        f"SELECT {data.as_written(column)} AS value FROM {ROWS} JOIN ("
        f"SELECT file AS {LINE}_in, {LINE} AS {LINE}_at FROM {LINE}_rejected WHERE cause = {cause}"
        f") ON {LINE}_in = {FILE} AND {LINE}_at = {LINE}"
        f") WHERE value IS NOT NULL GROUP BY value ORDER BY rows DESC, value LIMIT {SAMPLES}"
    ).fetchall()
    shared = [[value, rows] for value, rows, _ in found if rows >= SHARED_BY]
    return {"samples": shared, "others": (found[0][2] if found else 0) - len(shared)}
