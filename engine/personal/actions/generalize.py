"""Say it less exactly: a date as its year, month or decade, a postcode as its district."""

from typing import Any

import polars as pl


def mask(cells: pl.Series, type_: str | None, options: dict[str, Any], key: bytes) -> pl.Series:  # noqa: ARG001
    """What cannot be read becomes the name of the kind: a value that nobody understood is never passed on."""
    to = options.get("to", "year")
    unread = pl.lit(f"[{type_ or 'REDACTED'}]")
    c = pl.col("c")
    if to == "district":
        coarse = c.str.extract(r"^\s*(?:[A-Z]{1,2}-?)?(\d)\d{2,4}\b") + "xxx"
    else:
        coarse = _date(options.get("format"), to)
    return cells.to_frame("c").select(pl.when(c.is_not_null()).then(pl.coalesce(coarse, unread))).to_series()


def _date(format_: str | None, to: str) -> pl.Expr:
    c = pl.col("c").str.strip_chars()
    iso = c.str.extract(r"^((?:1[89]|20)\d\d-?\d\d)-?\d\d").str.replace("-", "")
    turned = pl.concat_str(
        c.str.extract(r"^\d{1,2}[-./ ]+\d{1,2}[-./ ]+((?:1[89]|20)\d\d)\b"),
        c.str.extract(r"^\d{1,2}[-./ ]+(\d{1,2})[-./ ]+\d{4}").str.zfill(2),
    )
    parsed = [c.str.to_datetime(format_, strict=False).dt.strftime("%Y%m")] if format_ else []
    month = pl.coalesce(*parsed, iso, turned)
    year = pl.coalesce(month.str.head(4), c.str.extract(r"\b((?:1[89]|20)\d\d)\b"))
    if to == "month":
        return month.str.head(4) + "-" + month.str.tail(2)
    if to == "decade":
        return year.str.head(3) + "0"
    return year
