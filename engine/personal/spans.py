"""Finds pieces of text in many cells at once: marks them, splits at the marks, judges the pieces and joins them again.

Nothing here runs Python per cell, and the regular expressions are Rust's, which are linear in the text.
"""

from collections.abc import Callable

import polars as pl

OPEN, CLOSE = "\ufdd0", "\ufdd1"  # noncharacters: no text that is meant to be read holds them

Judge = Callable[[pl.Series, pl.Series, pl.Series], pl.Series]  # before, value, after -> score from 0 to 1

ENOUGH = 0.6  # a piece of text with this score is masked


def where(cells: pl.Series, pattern: str, needs: str | None = None) -> pl.Series:
    """The places of the cells that match; those without what every match `needs` are not looked at further."""
    if needs is None:
        return cells.str.contains(pattern).fill_null(False).arg_true()
    may = cells.str.contains(needs).fill_null(False).arg_true()
    return may.filter(cells.gather(may).str.contains(pattern))


def pieces(cells: pl.Series, pattern: str) -> pl.DataFrame:
    """Every match in every cell with the text around it: row, value (null in the first piece), before, after."""
    marked = cells.str.replace_all(f"[{OPEN}{CLOSE}]", "").str.replace_all(pattern, f"{OPEN}${{0}}{CLOSE}")
    return (
        pl.DataFrame({"row": pl.int_range(len(cells), eager=True), "piece": marked.str.split(OPEN)})
        .explode("piece")
        .with_columns(pl.col("piece").str.split_exact(CLOSE, 1))
        .unnest("piece")
        .select(
            "row",
            value=pl.when(pl.col("field_1").is_not_null()).then("field_0"),
            after=pl.coalesce("field_1", "field_0"),
        )
        .with_columns(before=pl.col("after").shift(1))
    )


def judged(cells: pl.Series, pattern: str, judge: Judge) -> pl.DataFrame:
    """The pieces of all cells with a score; each different piece in the same surroundings is judged once."""
    found = pieces(cells, pattern).with_columns(
        near_before=pl.when(pl.col("value").is_not_null()).then(pl.col("before").fill_null("").str.tail(40)),
        near_after=pl.when(pl.col("value").is_not_null()).then(pl.col("after").str.head(24)),
    )
    around = ["near_before", "value", "near_after"]
    different = found.filter(pl.col("value").is_not_null()).select(around).unique(maintain_order=True)
    scores = judge(different["near_before"], different["value"], different["near_after"])
    return found.join(
        different.with_columns(score=scores.cast(pl.Float64)), on=around, how="left", maintain_order="left"
    ).with_columns(pl.col("score").fill_null(0.0))


def replace(cells: pl.Series, pattern: str, judge: Judge, label: str) -> tuple[pl.Series, int]:
    """The cells with every match that is judged well enough replaced by the label, and in how many cells that was."""
    found = judged(cells, pattern, judge)
    hit = pl.col("score") >= ENOUGH
    rows = found.filter(hit)["row"].unique()
    if rows.is_empty():
        return cells, 0
    written = (
        found.filter(pl.col("row").is_in(rows.implode()))
        .select(
            "row",
            text=pl.when(hit).then(pl.lit(label)).otherwise(pl.col("value").fill_null("")) + pl.col("after"),
        )
        .group_by("row", maintain_order=True)
        .agg(pl.col("text").str.join(""))
    )
    return cells.scatter(written["row"], written["text"]), len(rows)


def positions(text: str, pattern: str, judge: Judge) -> list[tuple[int, int, float]]:
    """Start, end and score of every match in one text."""
    clean = text.replace(OPEN, "").replace(CLOSE, "")
    spans, at = [], 0
    for row in judged(pl.Series([clean]), pattern, judge).iter_rows(named=True):
        value = row["value"] or ""
        if value:
            spans.append((at, at + len(value), float(row["score"])))
        at += len(value) + len(row["after"])
    return spans
