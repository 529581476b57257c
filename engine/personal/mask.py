"""Masks batches of rows by the verdicts, and every other cell that holds personal data all the same."""

import polars as pl

from core import parts, threads
from core.models import LINE, Verdict
from engine.personal import row_words, spans
from engine.personal.actions.redact import label
from engine.personal.recognizer import recognizer, recognizers
from engine.personal.shape import BLANK, NULLISH
from engine.personal.text import in_text

ABROAD = r"\+[1-9]\d{0,2}(?:[ ./()-]{0,3}\d){6,12}\b"  # a phone number with its country code


def hash_column(column: pl.Series, type_: str | None, key: bytes) -> pl.Series:
    """The column as the `hash` action writes it for this kind (none: text)."""
    masked: pl.Series = parts.load("masking action", "hash").mask(column, type_, {}, key)
    return masked


class Masker:
    """Masks text columns by their verdicts; `found` counts by column and kind, `cells` by column."""

    def __init__(
        self,
        verdicts: dict[str, Verdict],
        key: bytes,
        timezone: str = "Europe/Copenhagen",
        models: dict[str, str] | None = None,
    ) -> None:
        self.models = models
        self.verdicts, self.key, self.timezone = verdicts, key, timezone
        self.found: dict[str, dict[str, int]] = {}
        self.cells: dict[str, int] = {}
        self.tokens: list[tuple[str, pl.DataFrame]] = []  # kind, and what the vault is to keep: token, value
        self.rows = 0
        self.by_row = True  # whether the cells of a row belong together: those of lists inside of records do not

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        self.rows += len(frame)
        names_ = [n for n in frame.columns if n != LINE and frame[n].dtype == pl.String]
        # polars and numpy free the lock
        after = list(threads.pool().map(lambda n: self._column(frame[n], self.verdicts.get(n, Verdict(n))), names_))
        after = self._rows(frame, names_, after) if self.by_row else after
        masked = []
        for name, column in zip(names_, after, strict=True):
            changed = int(frame[name].ne_missing(column).sum())
            if changed:
                self.cells[name] = self.cells.get(name, 0) + changed
                masked.append(column)
        return frame.with_columns(masked)

    def _rows(self, frame: pl.DataFrame, names_: list[str], after: list[pl.Series]) -> list[pl.Series]:
        """The same columns, with the texts cleaned of what the row says of its person elsewhere."""
        read = [n for n in names_ if (v := self.verdicts.get(n)) and row_words.reads(v)]
        if not read:
            return after
        columns = dict(zip(names_, after, strict=True))
        cleaned, counts = row_words.mask(frame, {n: columns[n] for n in read}, self.verdicts)
        for name, held in counts.items():
            for type_, count in held.items():
                self._count(name, type_, count)
        return list((columns | cleaned).values())

    def _column(self, cells: pl.Series, verdict: Verdict) -> pl.Series:
        if verdict.options.get("decided") and verdict.action == "keep":
            return cells
        if verdict.scope == "column" and verdict.action != "keep":
            return self._whole(cells, verdict, ~cells.str.contains(BLANK))  # `Na`, `Nil` and `Null` are people too
        if verdict.scope == "spans":
            return self._text(cells, verdict)
        rest = cells
        if verdict.types and verdict.action != "keep" and "threshold" in verdict.options:
            rest = self._cells(cells, verdict)
        return self._scan(rest, verdict)

    def _whole(self, cells: pl.Series, verdict: Verdict, which: pl.Series) -> pl.Series:
        """The action on all cells that say something, or on those chosen."""
        type_ = verdict.types[0] if verdict.types else None
        count = int(which.fill_null(False).sum())
        if count == 0:
            return cells
        self._count(cells.name, type_ or "REDACTED", count)
        at = None if count == len(cells) else which.fill_null(False).arg_true()
        masked = self._acted(cells if at is None else cells.gather(at), type_, verdict).alias(cells.name)
        return masked if at is None else cells.scatter(at, masked)

    def _acted(self, cells: pl.Series, type_: str | None, verdict: Verdict) -> pl.Series:
        """The action on cells; where many are equal, on each different one."""
        action = parts.load("masking action", verdict.action)

        def done(some: pl.Series) -> pl.Series:
            masked: pl.Series = action.mask(some, type_, verdict.options, self.key)
            if verdict.action == "tokenize":
                value = parts.load("masking action", "hash").canonical(some, type_)[0]
                pairs = pl.DataFrame({"token": masked, "value": value}).drop_nulls()
                self.tokens.append((type_ or "", pairs.unique("token", maintain_order=True)))
            return masked

        if len(cells) < _WORTH or cells.head(_WORTH).n_unique() > _WORTH // 2:
            return done(cells)
        coded = cells.to_arrow().dictionary_encode()
        return done(pl.Series(coded.dictionary, dtype=pl.String)).gather(pl.Series(coded.indices))

    def _cells(self, cells: pl.Series, verdict: Verdict) -> pl.Series:
        """The action on the cells that look personal; each different one is judged once."""
        kind = recognizer(verdict.types[0])
        different = pl.DataFrame({"c": cells.unique(maintain_order=True)}).drop_nulls()
        different = different.filter(~pl.col("c").str.contains(NULLISH))
        score = kind.score(different["c"].str.strip_chars())
        personal = different.filter(score >= verdict.options["threshold"])["c"]
        if personal.is_empty():
            return cells
        return self._whole(cells, verdict, cells.is_in(personal.implode()))

    def _scan(self, cells: pl.Series, verdict: Verdict) -> pl.Series:
        """What any column may not hold: the sure patterns, wherever they stand."""
        skip = verdict.options.get("skip", ())
        kinds = [r for r in recognizers() if r.sure and r.personal and r.type not in skip]
        patterns = [(r.type, str(r.sure)) for r in kinds]
        if "PHONE" in skip:  # codes have the grouping of Danish numbers, none has a country code
            patterns.append(("PHONE", ABROAD))
        return self._patterns(cells, patterns)

    def _patterns(self, cells: pl.Series, patterns: list[tuple[str, str]]) -> pl.Series:
        if not patterns:
            return cells
        union = "|".join(f"(?:{pattern})" for _, pattern in patterns)
        at = cells.str.contains(union).fill_null(False).arg_true()
        if at.is_empty():
            return cells
        part, counts = _replaced(cells.gather(at), patterns)
        for type_, count in counts.items():
            self._count(cells.name, type_, count)
        return cells.scatter(at, part).alias(cells.name) if counts else cells

    def _text(self, cells: pl.Series, verdict: Verdict) -> pl.Series:
        """Sentences: each different one is read once."""
        counted = cells.alias("c").value_counts(sort=False, name="n").drop_nulls().sort("c")
        if counted.is_empty():
            return cells
        masked, counts = in_text(counted["c"], counted["n"], self.models)
        for type_, count in counts.items():
            self._count(cells.name, type_, count)
        if not counts:
            return cells
        changed = pl.DataFrame({"c": counted["c"], "m": masked})
        return (
            pl.DataFrame({"c": cells}).join(changed, on="c", how="left", maintain_order="left")["m"].alias(cells.name)
        )

    def _count(self, column: str, type_: str, count: int) -> None:
        if count:
            counts = self.found.setdefault(column, {})
            counts[type_] = counts.get(type_, 0) + count


_WORTH = 4000  # cells from which it pays to look for equal ones, and that show whether there are some


def _replaced(cells: pl.Series, patterns: list[tuple[str, str]]) -> tuple[pl.Series, dict[str, int]]:
    counts: dict[str, int] = {}
    for type_, pattern in patterns:
        at = cells.str.contains(pattern).fill_null(False).arg_true()
        if at.is_empty():
            continue
        part, hit = spans.replace(cells.gather(at), pattern, recognizer(type_).judge, label(type_))
        if hit:
            counts[type_] = hit
            cells = cells.scatter(at, part)
    return cells, counts
