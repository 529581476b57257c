"""Measures a contract with Soda on all raw rows, and lists the rows that break a hard rule."""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

from core import parts
from core.errors import BadPipeline
from core.models import LINE, CheckResult, ColumnType, RawFile, Table
from core.pipeline import Pipeline
from engine import sandbox
from engine.chart.check import Check
from engine.chart.dimensions.timeliness import NOW
from engine.explore import types as column_types
from engine.sandbox import quoted, quoted_text

# Soda reads both when it is imported: it would report home and load the project's .env
os.environ["SODA_CORE_TELEMETRY_ENABLED"] = "false"
os.environ["PYTHON_DOTENV_DISABLED"] = "1"

FILE, ROW = "_file", "_row"  # which raw file a row stands in, and where
ROWS = "rows"  # the view of all raw rows, typed
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
    """Measures every rule and writes the lines to reject (`file`, LINE, rule, column, reason).

    `mask_values` masks the values of one of this dataset's columns, to compare them with another's masked ones.
    Raises BadPipeline if a rule names a column that is not there, or is no expression.
    """
    _names_are_there(pipeline, raw.types)
    with sandbox.open_duckdb(raw.timezone) as connection:
        data = _Data(connection, raw, others, mask_values)
        checks = list(_checks(pipeline, data))
        data.close()
        measured = _measure(connection, [check for check in checks if check.soda], now)
        results = [_result(check, measured.get(id(check))) for check in checks]
        rejected, causes = _reject(connection, pipeline, checks, rejects_path)
    return Verified(results, rejected, causes, rejects_path if rejected else None)


def _names_are_there(pipeline: Pipeline, types: Mapping[str, ColumnType]) -> None:
    contract = pipeline.quality
    single = [*contract.completeness, *contract.validity, *contract.accuracy, *contract.consistency]
    named = [rule.column for rule in single if rule.column] + [c for r in contract.uniqueness for c in r.columns]
    named += [contract.timeliness.column] if contract.timeliness else []
    named += [*pipeline.key, *pipeline.subject.values()]
    for name in named:
        if name not in types:
            raise BadPipeline(
                f"`{pipeline.name}.yml` names the column `{name}`, which the source does not have.",
                hint=f"It has: {', '.join(types)}.",
            )


def _checks(pipeline: Pipeline, data: "_Data") -> list[Check]:
    """All checks, in the order of the six dimensions and of the file; those whose SQL cannot run say so."""
    order = ("completeness", "uniqueness", "validity", "accuracy", "consistency", "timeliness")
    planned = [c for name in order for c in parts.load("quality dimension", name).checks(pipeline.quality, data)]
    return [data.tried(check) for check in planned]


class _Data:
    """The raw rows in DuckDB, as the dimensions ask for them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        raw: Raw,
        others: Mapping[str, Table],
        mask_values: MaskValues,
    ) -> None:
        self.connection, self.raw, self.others, self.mask_values = connection, raw, others, mask_values
        self.types = raw.types
        self._timestamps: dict[str, str] = {}
        for column, kind in raw.types.items():
            if kind.kind in ("date", "datetime"):
                self._timestamps[column] = f"_at_{len(self._timestamps)}"
        self._make_view()

    def _make_view(self) -> None:
        typed = [f"{column_types.sql(quoted(c), k, self.raw.timezone)} AS {quoted(c)}" for c, k in self.types.items()]
        moments = [f"CAST({quoted(c)} AS TIMESTAMPTZ) AS {name}" for c, name in self._timestamps.items()]
        known = ", ".join(quoted(column) for column in self.types)
        texts = ", ".join(f"NULL::VARCHAR AS {quoted(column)}" for column in self.types)
        files = [f"SELECT NULL::INT AS {FILE}, NULL::BIGINT AS {ROW}, NULL::BIGINT AS {LINE}, {texts} WHERE false"]
        for number, file in enumerate(self.raw.files):
            # a file of a glob may lack columns that others have: by name, they are null in it
            source = f"read_parquet({quoted_text(file.path)}, file_row_number = true)"
            files.append(
                f"SELECT {number} AS {FILE}, file_row_number AS {ROW}, * EXCLUDE (file_row_number) FROM {source}"
            )
        union = " UNION ALL BY NAME ".join(files)
        typed_rows = f"SELECT {FILE}, {ROW}, {LINE}, {', '.join(typed)} FROM ({union})"
        moment_columns = "".join(f", {moment}" for moment in moments)
        self.connection.execute(
            f"CREATE VIEW {ROWS} AS SELECT {FILE}, {ROW}, {LINE}, {known}{moment_columns} FROM ({typed_rows})"
        )

    def timestamp(self, column: str) -> str:
        return self._timestamps[column]

    def expression(self, sql: str) -> str:
        if "${" in sql:
            raise BadPipeline("An expression may not hold `${`.")
        return sandbox.check_expression(sql, list(self.types))

    def missing_in(self, column: str, target: str) -> str | None:
        """Values are compared as text: masked with masked, if the other dataset's are masked."""
        dataset, _, other = target.partition(".")
        if dataset not in self.others:
            return None
        table = self.others[dataset]
        if other not in table.columns:
            raise BadPipeline(f"`{dataset}` has no column `{other}`.", hint=f"It has: {', '.join(table.columns)}.")
        mine = self.connection.sql(
            f"SELECT DISTINCT CAST({quoted(column)} AS VARCHAR) AS value FROM {ROWS} WHERE {quoted(column)} IS NOT NULL"
        ).pl()
        theirs = pl.concat(
            [pl.scan_parquet(file).select(pl.col(other).cast(pl.String).alias("there")) for file in table.files]
            or [pl.LazyFrame({"there": pl.Series(dtype=pl.String)})]
        )
        values = mine["value"].cast(pl.String)
        compared = self.mask_values(column, values.alias(column)) if other in table.masked else values
        frame = pl.DataFrame({"value": values, "there": compared.cast(pl.String)})
        wrong = frame.lazy().join(theirs.unique(), on="there", how="anti").select("value").collect()
        name = f"_missing_{len(self.connection.execute('SHOW TABLES').fetchall())}"
        self.connection.register("_wrong", wrong.to_arrow())
        self.connection.execute(f"CREATE TABLE {name} AS SELECT value FROM _wrong")
        self.connection.unregister("_wrong")
        return f"CAST({quoted(column)} AS VARCHAR) IN (SELECT value FROM {name})"

    def tried(self, check: Check) -> Check:
        """The check, or the same as not measured if DuckDB will not plan it: one must not spoil the others."""
        if check.failing is None:
            return check
        if "${" in check.failing:
            raise BadPipeline("A rule may not hold `${`.")
        try:
            self.connection.execute(f"EXPLAIN SELECT count(*) FROM {ROWS} WHERE {check.failing}")
        except duckdb.Error as error:
            kind = re.sub(r"Exception$", "", type(error).__name__)
            return Check(
                check.name,
                check.dimension,
                check.column,
                check.weight,
                None,
                check.count,
                note=f"{kind} error in the rule",
            )
        return check

    def close(self) -> None:
        """From here on only the raw files can be read."""
        sandbox.lock(self.connection, [Path(file.path) for file in self.raw.files])


def _measure(connection: duckdb.DuckDBPyConnection, checks: list[Check], now: datetime) -> dict[int, Mapping[str, Any]]:
    """What Soda measured, by check. If one check breaks them all, each is asked alone."""
    if not checks:
        return {}
    measured, failed = _ask_soda(connection, checks, now)
    if failed and len(checks) > 1:
        for check in checks:
            if id(check) not in measured:
                measured |= _ask_soda(connection, [check], now)[0]
    return measured


def _ask_soda(
    connection: duckdb.DuckDBPyConnection, checks: list[Check], now: datetime
) -> tuple[dict[int, Mapping[str, Any]], bool]:
    from soda_core.common.yaml import ContractYamlSource
    from soda_core.contracts.contract_verification import CheckOutcome, ContractVerificationSession
    from soda_duckdb.common.data_sources.duckdb_data_source import DuckDBDataSourceImpl

    source = DuckDBDataSourceImpl.from_existing_cursor(connection.cursor(), name="raw")
    session = ContractVerificationSession.execute(
        contract_yaml_sources=[ContractYamlSource.from_str(json.dumps(_contract(checks)))],
        data_source_impls=[source],
        variables={NOW: now.astimezone(UTC).isoformat()},
    )
    by_number = {str(number): check for number, check in enumerate(checks)}
    measured: dict[int, Mapping[str, Any]] = {}
    for result in session.results[0].check_results:
        if result.outcome in (CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.WARN):
            values = dict(result.diagnostic_metric_values or {})
            values["freshness_in_seconds"] = getattr(result, "freshness_in_seconds", None)
            measured[id(by_number[str(result.check.attributes["atlas"])])] = values
    return measured, session.has_errors


def _contract(checks: list[Check]) -> dict[str, Any]:
    """The contract in Soda's language; JSON is YAML."""
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


def _result(check: Check, answer: Mapping[str, Any] | None) -> CheckResult:
    failed, tested, note = 0.0, 0.0, check.note
    if answer is not None:
        failed, tested, note = check.count(answer)
    elif check.soda and not note:
        note = "it could not be computed"
    if answer is not None and tested == 0:
        note = note or "no row to test"
    fault = f"{', '.join(check.duplicate_of)} comes twice" if check.duplicate_of else check.fault
    return CheckResult(
        check.name, check.dimension, check.column, float(failed or 0), float(tested or 0), check.weight, note, fault
    )


def _reject(
    connection: duckdb.DuckDBPyConnection, pipeline: Pipeline, checks: list[Check], path: Path
) -> tuple[int, list[dict[str, Any]]]:
    """Writes the lines of the rows that break a hard rule, each with the first rule it breaks."""
    hard = [
        c for c in checks if c.dimension in pipeline.quality.reject_rows and c.soda and (c.failing or c.duplicate_of)
    ]
    if not hard:
        return 0, []
    windows, conditions = [], []
    for number, check in enumerate(hard):
        if check.duplicate_of:
            columns = ", ".join(quoted(column) for column in check.duplicate_of)
            windows.append(f", row_number() OVER (PARTITION BY {columns} ORDER BY {FILE}, {ROW}) AS _same_{number}")
            filled = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in check.duplicate_of)
            conditions.append(f"WHEN _same_{number} > 1 AND {filled} THEN {number}")
        else:
            conditions.append(f"WHEN {check.failing} THEN {number}")
    numbered = f"SELECT *{''.join(windows)} FROM {ROWS}"
    connection.execute(
        f"CREATE TABLE _rejected AS SELECT {FILE} AS file, {LINE}, cause FROM ("
        f"SELECT {FILE}, {ROW}, {LINE}, CASE {' '.join(conditions)} END AS cause FROM ({numbered})"
        f") WHERE cause IS NOT NULL ORDER BY {FILE}, {ROW}"
    )
    groups = connection.execute(
        f"SELECT cause, count(*), min((file, {LINE}), 5) FROM _rejected GROUP BY cause ORDER BY cause"
    ).fetchall()
    causes = [
        {
            "reason": hard[cause].fault,
            "rule": hard[cause].name,
            "column": hard[cause].column,
            "rows": rows,
            "lines": lines,
        }
        for cause, rows, lines in groups
    ]
    if causes:
        pq.write_table(connection.table("_rejected").to_arrow_table(), path, compression="zstd")
    return sum(cause["rows"] for cause in causes), causes
