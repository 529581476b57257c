"""Merges the rows of an incremental run into the published ones, by key: only files with changed rows are rewritten."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from core.models import LINE
from engine.chart import write
from engine.sql import sandbox
from engine.sql.sandbox import quoted, quoted_text

Files = Sequence[tuple[str, int]]  # path and rows
SMALL = 25_000  # rows
MOST_SMALL = 100  # files with fewer
FILE_ROWS = 250_000
_GATHERED = 1_000_000  # from here on no file is numbered otherwise


@dataclass(frozen=True)
class Merge:
    """What is merged: published files, those of this run, and the keys of rows that this run rejected.

    A row that was changed and is rejected leaves the published rows, as it would if everything were read anew.
    """

    published: Files
    fresh: Files
    rejected: pl.DataFrame  # values of the key columns
    key: list[str]
    columns: list[str]
    most_small: int = MOST_SMALL
    leaving: Callable[[pl.DataFrame], None] = lambda _: None  # is shown the rows that the merged version does without

    def into(
        self, target: Callable[[int], Path], progress: Callable[[int], None], spill: Path
    ) -> list[tuple[str, int]]:
        """The files of the merged version. New ones are written to `target(number)`."""
        with sandbox.open_duckdb("UTC", spill) as connection:
            self._find_changed(connection, progress)
            merged: list[tuple[str, int]] = []
            for number, (path, rows) in enumerate([*self.published, *self.fresh]):
                progress(number)
                leaves = "changed" if number < len(self.published) else "same"
                gone = self._rows_in(connection, path, leaves)
                for some in write.picked(Path(path), gone) if len(gone) else ():
                    self.leaving(some)
                if gone.is_empty() and rows:
                    merged.append((path, rows))
                elif len(gone) < rows:
                    new = target(number)
                    merged.append((str(new), write.without(Path(path), gone, new, progress)))
            return self._gathered(merged, target, progress)

    def _gathered(
        self, merged: list[tuple[str, int]], target: Callable[[int], Path], progress: Callable[[int], None]
    ) -> list[tuple[str, int]]:
        """The files, small ones together if there are too many: each run leaves one, and readers open them all."""
        small = [file for file in merged if file[1] < SMALL]
        if len(small) <= self.most_small:
            return merged
        files = [file for file in merged if file[1] >= SMALL]
        together: list[tuple[str, int]] = []
        for file in small:
            if sum(rows for _, rows in [*together, file]) > FILE_ROWS:
                files.append(write.joined(together, target(_GATHERED + len(files)), progress))
                together = []
            together.append(file)
        return [*files, write.joined(together, target(_GATHERED + len(files)), progress)]

    def _find_changed(self, connection: duckdb.DuckDBPyConnection, progress: Callable[[int], None]) -> None:
        """Tables of keys: `same` whose rows are as they were, `changed` all others that this run has read."""
        names = ", ".join(self._names)
        keys = ", ".join(f"{quoted(column)} AS {name}" for column, name in zip(self.key, self._names, strict=True))
        row = f"hash({', '.join(map(quoted, self.columns))})"
        counted = f"count(*) AS {LINE}_n, sum({row}) AS {LINE}_h"
        fresh = ", ".join(quoted_text(path) for path, _ in self.fresh)
        connection.execute(f"CREATE TABLE now AS SELECT {keys}, {counted} FROM read_parquet([{fresh}]) GROUP BY ALL")
        connection.register("_rejected", self.rejected.to_arrow())
        connection.execute(f"CREATE TABLE touched AS SELECT {names} FROM now UNION SELECT {keys} FROM _rejected")
        connection.execute("CREATE TABLE found AS FROM now WHERE false")
        for number, (path, _) in enumerate(self.published):
            progress(number)
            if not self._rows_in(connection, path, "touched").is_empty():
                rows = f"SELECT *, {keys} FROM read_parquet({quoted_text(path)})"
                touched = f"FROM ({rows}) SEMI JOIN touched USING ({names})"
                connection.execute(f"INSERT INTO found SELECT {names}, {counted} {touched} GROUP BY ALL")
        before = f"SELECT {names}, sum({LINE}_n) AS {LINE}_n, sum({LINE}_h) AS {LINE}_h FROM found GROUP BY ALL"
        every = f"{names}, {LINE}_n, {LINE}_h"
        connection.execute(f"CREATE TABLE same AS SELECT {names} FROM now SEMI JOIN ({before}) USING ({every})")
        connection.execute(f"CREATE TABLE changed AS FROM touched ANTI JOIN same USING ({names})")

    @property
    def _names(self) -> list[str]:
        """Of the key's columns, as no column of a source is called."""
        return [f"{LINE}_key_{number}" for number in range(len(self.key))]

    def _rows_in(self, connection: duckdb.DuckDBPyConnection, path: str, keys: str) -> pl.Series:
        """The numbers of the rows in a file whose keys are among some."""
        there = pl.read_parquet(path, columns=self.key).select(self.key)
        named = there.rename(dict(zip(self.key, self._names, strict=True))).with_row_index(LINE)
        connection.register("_there", named.to_arrow())
        rows = f"SELECT {LINE} FROM _there SEMI JOIN {keys} USING ({', '.join(self._names)})"
        found: pl.Series = connection.sql(rows).pl()[LINE]
        return found.sort()
