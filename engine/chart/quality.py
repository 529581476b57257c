"""Measures a contract with Soda on all raw rows, and lists the rows that break a hard rule."""

import json
import logging
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
from core.errors import AtlasError, BadPipeline, SourceUnreadable
from core.models import LINE, CheckResult, ColumnType, RawFile, Table
from core.pipeline import Pipeline
from engine import sandbox
from engine.chart.check import Check, unmeasured
from engine.chart.dimensions.timeliness import NOW
from engine.explore import types as column_types
from engine.sandbox import quoted, quoted_text

# Soda reads both when it is imported: it would report home and load the project's .env
os.environ["SODA_CORE_TELEMETRY_ENABLED"] = "false"
os.environ["PYTHON_DOTENV_DISABLED"] = "1"
logging.getLogger("soda").setLevel(logging.CRITICAL + 1)  # it logs DuckDB's errors, which quote values

# connectors give no column a name that begins with LINE
FILE, ROW = f"{LINE}_file", f"{LINE}_row"  # which raw file a row stands in, and where
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
    _names_are_told_apart(raw.types)
    with sandbox.open_duckdb(raw.timezone) as connection:
        data = _Data(connection, pipeline.name, raw, others, mask_values)
        try:
            checks = _checks(pipeline, data)
        except BadPipeline as error:
            raise BadPipeline(f"`{pipeline.name}.yml`: {error.message}", hint=error.hint) from error
        measured = _measure(connection, [check for check in checks if check.soda], now)
        results = [_result(connection, check, measured.get(id(check))) for check in checks]
        can_reject = [check for check in checks if id(check) in measured]
        rejected, causes = _reject(connection, pipeline, can_reject, rejects_path)
    return Verified(results, rejected, causes, rejects_path if rejected else None)


def _names_are_there(pipeline: Pipeline, types: Mapping[str, ColumnType]) -> None:
    contract = pipeline.quality
    named = [rule.column for rule in contract.completeness] + [rule.column for rule in contract.validity]
    named += [rule.column for rule in contract.accuracy if rule.column]
    named += [rule.column for rule in contract.consistency if rule.column]
    named += [column for rule in contract.uniqueness for column in rule.columns]
    named += [contract.timeliness.column] if contract.timeliness else []
    named += [*pipeline.key, *pipeline.subject.values(), *pipeline.privacy.columns]
    if missing := [name for name in dict.fromkeys(named) if name not in types]:
        columns = f"column{'s' if len(missing) > 1 else ''} {', '.join(f'`{name}`' for name in missing)}"
        raise BadPipeline(
            f"`{pipeline.name}.yml` names the {columns}, which the source does not have.",
            hint=f"It has: {', '.join(types)}.",
        )


def _names_are_told_apart(types: Mapping[str, ColumnType]) -> None:
    """SQL knows no capital letters. One file never has both, but of two each may have one."""
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
    """All checks, in the order of the six dimensions and of the file; those whose SQL cannot run say so."""
    order = ("completeness", "uniqueness", "validity", "accuracy", "consistency", "timeliness")
    planned = [c for name in order for c in parts.load("quality dimension", name).checks(pipeline.quality, data)]
    return [data.tried(check) for check in planned]


class _Data:
    """The raw rows in DuckDB, as the dimensions ask for them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        raw: Raw,
        others: Mapping[str, Table],
        mask_values: MaskValues,
    ) -> None:
        self.connection, self.name, self.raw, self.others = connection, name, raw, others
        self.mask_values = mask_values
        self.types = raw.types
        typed = [column for column, kind in raw.types.items() if kind.kind != "text"]
        self._texts = {column: f"{LINE}_text_{number}" for number, column in enumerate(typed)}
        dated = [column for column in typed if raw.types[column].kind in ("date", "datetime")]
        self._timestamps = {column: f"{LINE}_at_{number}" for number, column in enumerate(dated)}
        self._make_view()
        sandbox.lock(connection, [Path(file.path) for file in raw.files])

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
        written = [f"{quoted(column)} AS {name}" for column, name in self._texts.items()]
        typed_rows = f"SELECT {', '.join([FILE, ROW, LINE, *typed, *written])} FROM ({union})"
        columns = ", ".join([FILE, ROW, LINE, known, *self._texts.values(), *moments])
        self.connection.execute(f"CREATE VIEW {ROWS} AS SELECT {columns} FROM ({typed_rows})")

    def timestamp(self, column: str) -> str:
        return self._timestamps[column]

    def as_written(self, column: str) -> str:
        return self._texts.get(column, quoted(column))

    def expression(self, sql: str) -> str:
        return sandbox.check_expression(sql, list(self.types))

    def missing_in(self, column: str, target: str) -> str | None:
        """Compares masked values with masked ones, if the other dataset's are masked."""
        dataset, _, other = target.partition(".")
        itself = dataset == self.name
        if not itself and dataset not in self.others:
            return None
        known = self.types if itself else self.others[dataset].columns
        if other not in known:
            raise BadPipeline(f"`{dataset}` has no column `{other}`.", hint=f"It has: {', '.join(known)}.")
        mine = self._values(column)
        theirs = self._values(other).lazy() if itself else _published(self.others[dataset], other)
        if not itself and other in self.others[dataset].masked:
            compared = self.mask_values(column, mine["text"].alias(column))
            mine = mine.with_columns(compared.cast(pl.String).alias("value"))
        one, two = mine.schema["value"], theirs.collect_schema()["value"]
        if one != two:
            # 12 and 12.00 are one number; any others are compared as text
            common = pl.Decimal(38, column_types.SCALE) if one.is_numeric() and two.is_numeric() else pl.String()
            mine, theirs = mine.cast({"value": common}), theirs.cast({"value": common})
        wrong = mine.lazy().join(theirs.select("value").unique(), on="value", how="anti").select("text").collect()
        name = f"{LINE}_missing_{len(self.connection.execute('SHOW TABLES').fetchall())}"
        self.connection.register("_wrong", wrong.to_arrow())
        self.connection.execute(f"CREATE TABLE {name} AS SELECT text FROM _wrong")
        self.connection.unregister("_wrong")
        return f"CAST({quoted(column)} AS VARCHAR) IN (SELECT text FROM {name})"

    def _values(self, column: str) -> pl.DataFrame:
        """The different values of a column, beside each what DuckDB writes for it."""
        found: pl.DataFrame = self.connection.sql(
            f"SELECT DISTINCT {quoted(column)} AS value, CAST({quoted(column)} AS VARCHAR) AS text "
            f"FROM {ROWS} WHERE {quoted(column)} IS NOT NULL"
        ).pl()
        if isinstance(found.schema["value"], pl.Datetime):
            found = found.with_columns(pl.col("value").dt.convert_time_zone("UTC"))
        return found.cast({"text": pl.String})

    def tried(self, check: Check) -> Check:
        """The check, or the same as not measured if DuckDB will not plan it: one must not spoil the others."""
        if "${" in _as_yaml(check.soda) + (check.soda_column or ""):
            raise BadPipeline(f"The rule `{check.name}` holds `${{`, which Soda would take for a variable.")
        if check.failing is None:
            return check
        try:
            self.connection.execute(f"EXPLAIN SELECT count(*) FROM {ROWS} WHERE {check.failing}")
        except duckdb.Error as error:
            kind = re.sub(r"Exception$", "", type(error).__name__)
            note = f"{kind} error in the rule"
            return unmeasured(check.name, check.dimension, check.column, check.weight, note)
        return check


def _published(table: Table, column: str) -> pl.LazyFrame:
    if not table.files:
        return pl.LazyFrame({"value": []}, {"value": pl.String})
    return pl.scan_parquet(list(table.files)).select(pl.col(column).alias("value"))


def _measure(connection: duckdb.DuckDBPyConnection, checks: list[Check], now: datetime) -> dict[int, Mapping[str, Any]]:
    """What Soda measured, by check. If one check breaks them all, each is asked alone."""
    if not checks:
        return {}
    measured = _ask_soda(connection, checks, now)
    if len(checks) > 1:
        for check in checks:
            if id(check) not in measured:
                measured |= _ask_soda(connection, [check], now)
    return measured


def _ask_soda(
    connection: duckdb.DuckDBPyConnection, checks: list[Check], now: datetime
) -> dict[int, Mapping[str, Any]]:
    from soda_core.common.yaml import ContractYamlSource
    from soda_core.contracts.contract_verification import CheckOutcome, ContractVerificationSession
    from soda_duckdb.common.data_sources.duckdb_data_source import DuckDBDataSourceImpl

    source = DuckDBDataSourceImpl.from_existing_cursor(connection.cursor(), name="raw")
    session = ContractVerificationSession.execute(
        contract_yaml_sources=[ContractYamlSource.from_str(_as_yaml(_contract(checks)))],
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


def _as_yaml(value: Any) -> str:
    """JSON, which is YAML but for the letters that YAML takes for breaks or refuses."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _result(connection: duckdb.DuckDBPyConnection, check: Check, answer: Mapping[str, Any] | None) -> CheckResult:
    failed, tested, note = 0.0, 0.0, check.note
    if answer is not None:
        failed, tested, note = check.count(answer)
    elif check.soda:
        note = f"it could not be computed: {_why_not(connection, check)}"
    if answer is not None and tested == 0:
        note = note or "no row to test"
    return CheckResult(
        check.name, check.dimension, check.column, float(failed or 0), float(tested or 0), check.weight, note
    )


def _why_not(connection: duckdb.DuckDBPyConnection, check: Check) -> str:
    try:
        connection.execute(f"SELECT count(*) FROM {ROWS} WHERE {check.failing or 'true'}").fetchall()
    except duckdb.Error as error:
        return sandbox.running_fault(error)
    return "Soda gave no answer."


def _reject(
    connection: duckdb.DuckDBPyConnection, pipeline: Pipeline, checks: list[Check], path: Path
) -> tuple[int, list[dict[str, Any]]]:
    """Writes the lines of the rows that break a hard rule, each with the first rule it breaks."""
    hard = [c for c in checks if c.dimension in pipeline.quality.reject_rows and (c.failing or c.duplicate_of)]
    if not hard:
        return 0, []
    windows, conditions = [], []
    for number, check in enumerate(hard):
        if check.duplicate_of:
            columns, same = ", ".join(quoted(column) for column in check.duplicate_of), f"{LINE}_same_{number}"
            windows.append(f", row_number() OVER (PARTITION BY {columns} ORDER BY {FILE}, {ROW}) AS {same}")
            filled = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in check.duplicate_of)
            conditions.append(f"WHEN {same} > 1 AND {filled} THEN {number}")
        else:
            conditions.append(f"WHEN {check.failing} THEN {number}")
    numbered = f"SELECT *{''.join(windows)} FROM {ROWS}"
    try:
        connection.execute(
            f"CREATE TABLE _rejected AS SELECT {FILE} AS file, {LINE}, cause FROM ("
            f"SELECT {FILE}, {ROW}, {LINE}, CASE {' '.join(conditions)} END AS cause FROM ({numbered})"
            f") WHERE cause IS NOT NULL ORDER BY {FILE}, {ROW}"
        )
    except duckdb.Error as error:
        fault = sandbox.running_fault(error)
        raise AtlasError(f"The rows of `{pipeline.name}` that break a rule cannot be told: {fault}") from None
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
