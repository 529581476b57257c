"""The raw rows of a run in DuckDB, as the rules of a contract ask for them."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import polars as pl

from core import parts
from core.errors import BadPipeline, SourceUnreadable
from core.models import DIMENSIONS, LINE, ColumnType, RawFile, Table
from core.pipeline import Pipeline, Quality
from engine import named
from engine.contract.check import Check
from engine.explore import types as column_types
from engine.personal import sought
from engine.personal.sought import MaskValues
from engine.sql import contained, mistakes, sandbox
from engine.sql.child import Limits, Link
from engine.sql.sandbox import quoted, quoted_text

FILE = f"{LINE}_file"  # which raw file a row stands in; no column of a source begins with LINE
ROWS = "rows"  # the view of all raw rows, typed
CLOCKS_DIFFER = timedelta(hours=1)  # a source may be a little ahead of us
# a text in which nothing stands: white space of any script, and letters without a width
EMPTY = r"[\s\x0b\x{85}\p{Z}\x{200b}-\x{200d}\x{2060}\x{feff}]*"
T = TypeVar("T")
Wrong = tuple[str, str]  # a mistake in a contract, and what was probably meant


@dataclass(frozen=True)
class Sought:
    """How the values of a column are looked for in another dataset: SQL for a row's, as text, and what it is."""

    sql: str
    kind: str
    masked: bool


_NUMBERS = ("integer", "decimal")
_NUMERIC = ("BIGINT", "INTEGER", "HUGEINT", "DECIMAL", "DOUBLE")


@dataclass(frozen=True)
class Raw:
    """All raw rows of a run: files in source order, what their columns hold, and what they are compared with.

    `mask_values` masks the values of one of the columns, to find them among the masked ones of `others`. `bad` columns
    have values that do not fit their type.
    """

    files: Sequence[RawFile]
    types: Mapping[str, ColumnType]
    timezone: str
    others: Mapping[str, Table]
    mask_values: MaskValues
    now: datetime
    bad: tuple[str, ...] = ()
    forms: Mapping[str, str] = field(default_factory=dict)  # how each column is masked, as far as that is known
    absent: Mapping[str, str] = field(default_factory=dict)  # why a dataset that a rule names is not among `others`
    plain: frozenset[str] | None = None  # not raw but published files: the columns of which hold what the source held


def ask(
    name: str, pipeline: Pipeline, raw: Raw, *arguments: Any, returns: type[T], limits: Limits,
    wanted: Callable[[], None], leaves: Sequence[Path],
) -> T:  # fmt: skip
    """Has a child do a request on these rows. Raises as `contained.call` and `opened`."""
    unkeyed = replace(raw, mask_values=_has_no_key, types=dict(raw.types), others=dict(raw.others))
    return contained.call(
        name, pipeline, unkeyed, *arguments, returns=returns, what=f"The contract of `{pipeline.name}`",
        limits=limits, wanted=wanted, leaves=leaves,
        answered=lambda question: sought.answer(question, raw.types, raw.mask_values),
    )  # fmt: skip


@contextmanager
def opened(
    pipeline: Pipeline,
    raw: Raw,
    spill: Path,
    link: Link,
    dimensions: Collection[str] = DIMENSIONS,
    *,
    seeks: bool = False,
) -> Iterator[tuple["Rows", list[Check]]]:
    """The rows, and the checks of these dimensions in the order of the six and of the file. In a child.

    What does not fit into memory goes to the folder `spill`. `seeks`: `Rows.sought` is asked for.
    Raises BadPipeline with every rule that names a column that is not there, or is no expression.
    """
    wrong = _names_that_lack(pipeline, raw.types)
    _names_are_told_apart(raw.types)

    def mask_values(column: str, values: pl.Series) -> pl.Series:
        return sought.answered(link.asked(sought.question(column, values)))

    with sandbox.open_duckdb(raw.timezone, spill) as connection:
        as_read = [rule.column for rule in pipeline.quality.completeness if rule.empty == "keep"]
        rows = Rows(connection, pipeline.name, replace(raw, mask_values=mask_values), as_read, seeks=seeks)
        contract = _whose_columns_are_there(pipeline.quality, raw.types) if wrong else pipeline.quality
        planned = [
            check
            for name in DIMENSIONS
            if name in dimensions
            for check in parts.load("quality dimension", name).checks(contract, rows)
        ]
        _refuse(pipeline.name, [*wrong, *rows.wrong])
        rows.close()
        yield rows, [_tried(rows, check, pipeline.name, link) for check in planned]


def _tried(rows: "Rows", check: Check, pipeline: str, link: Link) -> Check:
    """The check if it can be planned; if DuckDB crashes over it, the error names it."""
    link.at(f"The rule `{check.name}` of `{pipeline}.yml`")
    tried = rows.tried(check)
    link.at(f"The contract of `{pipeline}`")
    return tried


def _has_no_key(*_: object) -> pl.Series:
    raise AssertionError("only the parent masks")


def _names_that_lack(pipeline: Pipeline, types: Mapping[str, ColumnType]) -> list[Wrong]:
    own = (name for where, name in named.columns(pipeline) if where[0] != "source")
    missing = dict.fromkeys(name for name in own if name not in types)
    return [(f"it names the column `{n}`, which the source does not have", named.suggested(n, types)) for n in missing]


def _whose_columns_are_there(contract: Quality, types: Mapping[str, ColumnType]) -> Quality:
    """The rules whose other mistakes can be found."""
    kept = {
        name: [rule for rule in getattr(contract, name) if not rule.column or rule.column in types]
        for name in ("completeness", "validity", "accuracy", "consistency")
    }
    unique = [rule for rule in contract.uniqueness if types.keys() >= set(rule.columns)]
    age = contract.timeliness if contract.timeliness and contract.timeliness.column in types else None
    return contract.model_copy(update={**kept, "uniqueness": unique, "timeliness": age})


def _refuse(pipeline: str, wrong: list[Wrong]) -> None:
    """Raises BadPipeline with every mistake."""
    if len(wrong) == 1:
        message, hint = wrong[0]
        raise BadPipeline(f"`{pipeline}.yml`: {message}.", hint=hint or None)
    if wrong:
        told = "; ".join(f"({n}) {message}{f'. {hint}' if hint else ''}" for n, (message, hint) in enumerate(wrong, 1))
        raise BadPipeline(f"`{pipeline}.yml` has {len(wrong)} mistakes: {told}", hint=f"atlas check {pipeline}")


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


def _filled(text: str) -> str:
    """SQL for a text, or null if nothing stands in it."""
    # nearly all texts begin with a letter or digit of ASCII, which is soon seen
    return f"CASE WHEN {text} BETWEEN '!' AND '~~' OR NOT regexp_full_match({text}, '{EMPTY}') THEN {text} END"


class Rows:
    """The raw rows in DuckDB, as the dimensions ask for them: an empty text, or one of white space, is null there.

    `as_read` are columns of which `as_written` tells an empty text from null all the same.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, name: str, raw: Raw, as_read: Collection[str] = (), *, seeks: bool
    ) -> None:
        self.connection, self.raw, self.types = connection, raw, raw.types
        # a dataset may reference itself: its own rows, before anything in them is masked
        itself = Table(name, (), {column: column_types.duckdb_type(kind) for column, kind in raw.types.items()})
        self.name, self.others = name, {**raw.others, name: itself}
        self._compared = 0
        typed = [column for column, kind in raw.types.items() if kind.kind != "text" or column in as_read]
        self.seeks = seeks
        if seeks:  # it would take what comes twice out of a TRY, and its error with it
            connection.execute("SET disabled_optimizers = 'common_subexpressions'")
        self.wrong: list[Wrong] = []  # mistakes in the rules of the contract
        self.sought: dict[tuple[str, str], Sought] = {}  # by column and target, of those that can be compared
        self.texts = {column: f"{LINE}_text_{number}" for number, column in enumerate(typed)}
        dated = [column for column in raw.types if raw.types[column].kind in ("date", "datetime")]
        self._timestamps = {column: f"{LINE}_at_{number}" for number, column in enumerate(dated)}
        not_text = [column for column, kind in raw.types.items() if kind.kind != "text"]
        self.misfits = {column: f"{LINE}_misfit_{number}" for number, column in enumerate(not_text)}
        self._make_view()

    def _make_view(self) -> None:
        typed = [f"{self._value(quoted(column), kind)} AS {quoted(column)}" for column, kind in self.types.items()]
        moments = [self._moment(column, name) for column, name in self._timestamps.items()]
        known = ", ".join(quoted(column) for column in self.types)
        texts = ", ".join(f"NULL::VARCHAR AS {quoted(column)}" for column in self.types)
        files = [f"SELECT NULL::INT AS {FILE}, NULL::BIGINT AS {LINE}, {texts} WHERE false"]
        # a file of a glob may lack columns that others have: by name, they are null in it
        files += [
            f"SELECT {number} AS {FILE}, * FROM read_parquet({quoted_text(file.path)})"
            for number, file in enumerate(self.raw.files)
        ]
        written = [f"{quoted(column)} AS {name}" for column, name in self.texts.items()]
        union = " UNION ALL BY NAME ".join(files)
        typed_rows = f"SELECT {', '.join([FILE, LINE, *typed, *written])} FROM ({union})"
        if self.raw.plain is not None:
            typed_rows = self._published()
        misfits = [self._misfit(column, name) for column, name in self.misfits.items()]
        columns = ", ".join([FILE, LINE, known, *self.texts.values(), *moments, *misfits])
        self.connection.execute(f"CREATE VIEW {ROWS} AS SELECT {columns} FROM ({typed_rows})")

    def _value(self, column: str, kind: ColumnType) -> str:
        if kind.kind == "text":
            # nearly all texts begin with a letter or digit of ASCII, which is soon seen
            return _filled(column)
        return column_types.sql(column, kind, self.raw.timezone)

    def _published(self) -> str:
        """Published rows in the place of raw ones. How a typed value was written is not known of them."""
        texts = "".join(f", NULL::VARCHAR AS {name}" for name in self.texts.values())
        known = ", ".join(
            f"{_filled(quoted(column))} AS {quoted(column)}" if kind.kind == "text" else quoted(column)
            for column, kind in self.types.items()
        )
        files = [
            f"SELECT {number} AS {FILE}, file_row_number AS {LINE}, {known}{texts} "
            f"FROM read_parquet({quoted_text(file.path)}, file_row_number = true)"
            for number, file in enumerate(self.raw.files)
        ]
        return " UNION ALL ".join(files)

    def _moment(self, column: str, name: str) -> str:
        """The moments of a column; none in the future: one slip of a finger would make stale data fresh for years."""
        moment = f"CAST({quoted(column)} AS TIMESTAMPTZ)"
        latest = (self.raw.now.astimezone(UTC) + CLOCKS_DIFFER).isoformat()
        return f"CASE WHEN {moment} <= TIMESTAMPTZ {quoted_text(latest)} THEN {moment} END AS {name}"

    def _misfit(self, column: str, name: str) -> str:
        """Whether a row has a value that does not fit the type of a column; published rows have none."""
        misfit = column_types.misfit_sql(self.texts[column], quoted(column))
        return f"coalesce({misfit}, false) AS {name}"

    def timestamp(self, column: str) -> str:
        return self._timestamps[column]

    def as_written(self, column: str) -> str:
        return self.texts.get(column, quoted(column))

    def empty(self, column: str) -> str:
        misfit = self.misfits.get(column)
        return f"{quoted(column)} IS NULL" + (f" AND NOT {misfit}" if misfit else "")

    def expression(self, sql: str) -> str:
        try:
            return sandbox.check_expression(sql, list(self.types))
        except BadPipeline as error:
            self.wrong.append((error.message.removesuffix("."), error.hint or ""))
            return "true"

    def missing_in(self, column: str, target: str) -> tuple[str | None, str | None]:
        """Numbers are compared as numbers, all else as text: masked with masked, if the other dataset's are masked."""
        dataset, _, other = target.partition(".")
        if dataset not in self.others:
            return None, self.raw.absent.get(dataset, f"`{dataset}` has not run yet")
        table = self.others[dataset]
        if other not in table.columns:
            self.wrong.append((f"`{dataset}` has no column `{other}`", named.suggested(other, table.columns)))
            return None, None
        if not (masked := other in table.masked) and self.raw.plain is not None and column not in self.raw.plain:
            return None, None  # published in another form than the other side
        name = f"{LINE}_missing_{self._compared}"
        self._compared += 1
        mine = quoted(column)
        numbers = not masked and self.types[column].kind in _NUMBERS and table.columns[other].startswith(_NUMERIC)
        kind = "DECIMAL(38,6)" if numbers else "VARCHAR"
        self.connection.execute(
            f"CREATE TABLE {name} AS SELECT DISTINCT CAST({mine} AS VARCHAR) AS value, "
            f"CAST({mine} AS {kind}) AS sought FROM {ROWS} WHERE {mine} IS NOT NULL"
        )
        if masked and self.raw.plain is None and not self._mask(name, column):
            return None, f"{target} is masked and {column} is not"
        if self.seeks:
            self._seek(name, column, target, kind, masked=masked)
        there = ROWS
        if dataset != self.name:
            there = f"{name}_there"
            sandbox.view(self.connection, there, table.files, table.columns)
        self.connection.execute(
            f"DELETE FROM {name} WHERE sought IN (SELECT CAST({quoted(other)} AS {kind}) FROM {there})"
        )
        return f"CAST({mine} AS VARCHAR) IN (SELECT value FROM {name})", None

    def _seek(self, name: str, column: str, target: str, kind: str, *, masked: bool) -> None:
        sql = f"CAST(CAST({quoted(column)} AS {kind}) AS VARCHAR)"
        if masked:
            self.connection.execute(f"CREATE TABLE {name}_all AS FROM {name}")
            sql = f"(SELECT sought FROM {name}_all WHERE value = CAST({quoted(column)} AS VARCHAR))"
        self.sought[column, target] = Sought(sql, kind, masked)

    def _mask(self, name: str, column: str) -> bool:
        """Masks the values sought; False if this column is not masked, so that nothing could be found."""
        values = self.connection.table(name).pl()["value"]
        frame = pl.DataFrame({"value": values, "sought": self.raw.mask_values(column, values.alias(column))})
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
            return replace(check, soda=None, note=mistakes.planning(error).removesuffix("."))
        return check

    def _type(self, sql: str) -> str:
        return str(self.connection.sql(f"SELECT {sql} FROM {ROWS}").types[0])

    def close(self) -> None:
        """From here on only the raw files can be read, and what was compared is kept."""
        sandbox.lock(self.connection, [Path(file.path) for file in self.raw.files])
