"""What rows that fail have in common: a value of another column that nearly all of them share, and few others have."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.models import Table
from engine.store import datasets, privacy
from engine.store.tables import Check, Run

FEWEST = 10  # rows that must share a value: fewer may be told by it
NEARLY_ALL = 0.9  # share of the failing rows
MOST_VALUES = 50  # different values of a column that tells groups apart
MOST_COLUMNS = 12
LONGEST = 40  # letters of a value


@dataclass(frozen=True)
class Segment:
    """So many of the rows that fail have this value in this column."""

    column: str
    value: str
    rows: int
    of: int

    def told(self, *, value: bool) -> str:
        many = f"All {self.of:,}" if self.rows == self.of else f"{self.rows:,} of {self.of:,}"
        return f"{many} have {self.column} = {self.value}" if value else f"{many} have the same value of {self.column}"


def of_empty(db: Session, run: Run, check: Check) -> Segment | None:
    """What the rows have in common whose column is empty, in the version that a run has published if people see it."""
    version = datasets.current_version(db, run.pipeline)
    if version is None or version.run_id != run.id or check.dimension != "completeness" or not check.column:
        return None
    table = datasets.table(db, *datasets.get(db, run.pipeline))
    key = set(run.definition.get("key") or ())
    plain = [
        row.column
        for row in privacy.verdicts(db, run.id)
        if row.action == "keep" and not row.types and not row.masked and row.column not in {*key, check.column}
    ]
    return shared_by_empty(table, check.column, [c for c in plain if table.columns.get(c) in ("VARCHAR", "BIGINT")])


def shared_by_empty(table: Table, column: str, others: Sequence[str]) -> Segment | None:
    """The value of one of the other columns that the rows share in which a column is empty."""
    from engine.sql import sandbox  # opens DuckDB: loaded when somebody asks why

    quoted = sandbox.quoted
    if column not in table.columns or not others:
        return None
    with sandbox.open_duckdb("UTC") as connection:
        sandbox.view(connection, "published", table.files, table.columns)

        def ask(figures: str, more: str = "") -> list[tuple[object, ...]]:
            return connection.execute(f"SELECT {figures} FROM published {more}").fetchall()  # noqa: S608 - all quoted

        empty = f"({quoted(column)} IS NULL OR trim(CAST({quoted(column)} AS VARCHAR)) = '')"
        different = ", ".join(f"approx_count_distinct({quoted(other)})" for other in others)
        (total, failed, *counts) = map(int, map(str, ask(f"count(*), count(*) FILTER ({empty}), {different}")[0]))
        if failed < FEWEST:
            return None
        few = sorted((count, other) for count, other in zip(counts, others, strict=True) if 1 < count <= MOST_VALUES)
        best: tuple[float, Segment] | None = None
        for _, other in few[:MOST_COLUMNS]:
            of_it = f"CAST({quoted(other)} AS VARCHAR), count(*) FILTER ({empty}) AS failed, count(*)"
            value, bad, rows = ask(of_it, "GROUP BY 1 ORDER BY failed DESC, 1 LIMIT 1")[0]
            share, usual = int(str(bad)) / failed, int(str(rows)) / total
            common = share >= NEARLY_ALL and usual <= share / 2 and int(str(bad)) >= FEWEST
            if value is None or not common or len(str(value)) > LONGEST:
                continue
            if best is None or share - usual > best[0]:
                best = share - usual, Segment(other, str(value), int(str(bad)), failed)
    return best[1] if best else None
