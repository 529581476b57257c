"""Leave what tells little: the last four of a card or account, the domain of an e-mail address, initials of a name."""

from typing import Any

import polars as pl

from engine.chart.actions.redact import label

_STAR = "*"


def mask(cells: pl.Series, type_: str | None, options: dict[str, Any], key: bytes) -> pl.Series:  # noqa: ARG001
    """What is left of each cell; one that has no such form is replaced as a whole."""
    left = _left(cells, type_)
    return pl.select(pl.when(left == cells).then(pl.lit(label(type_))).otherwise(left)).to_series()


def _left(cells: pl.Series, type_: str | None) -> pl.Series:
    if type_ == "EMAIL":
        return cells.str.replace_all(r"[^@\s,;]+@", "***@")
    if type_ == "PERSON":
        return cells.str.replace_all(r"(\p{L})[\p{L}\p{M}'’-]*\.?", "$1.")
    if type_ == "CPR":
        return cells.str.replace_all(r"\b(\d{6}[- ]?)\d{4}\b", "${1}****")
    if type_ in ("CREDIT_CARD", "IBAN", "BANK_ACCOUNT"):
        return _last(cells, 4)
    if type_ == "PHONE":
        return _last(cells, 2)
    if type_ == "IP":
        return cells.str.replace_all(r"[.:][0-9A-Fa-f]+(?::\d+)?\b", ".*")
    return cells.str.replace_all(r"(?s)^\s*(\S).*$", "$1***")


def _last(cells: pl.Series, count: int) -> pl.Series:
    """Stars for all letters and figures but the last ones; the grouping stays."""
    tail = cells.str.extract(rf"((?:[\p{{L}}\d][^\p{{L}}\d]*){{{count}}})$").fill_null("")
    frame = pl.DataFrame({"c": cells, "t": tail})
    head = pl.col("c").str.head(pl.col("c").str.len_chars() - pl.col("t").str.len_chars())
    return frame.select(head.str.replace_all(r"[\p{L}\d]", _STAR) + pl.col("t")).to_series()
