"""Leave what tells little: the last four of a card or account, the domain of an e-mail address, initials of a name."""

from typing import Any

import polars as pl

from engine.personal.actions.redact import label

# the whole of a cell that can be shortened: any other part would stay in clear
_BETWEEN = r"[\s,;/|&+]*"
_LEFT = {
    "EMAIL": rf"(?:{_BETWEEN}\*\*\*@[^\s@,;/|&+<>()]+)+{_BETWEEN}",
    "PERSON": r"(?:\p{L}\.|[^\p{L}\p{N}@])+",
    "CPR": rf"(?:{_BETWEEN}\d{{6}}[-–]?\*{{4}})+{_BETWEEN}",
    "IP": rf"(?:{_BETWEEN}[0-9A-Fa-f]*(?:\.\*)+)+{_BETWEEN}",
}


def mask(cells: pl.Series, type_: str | None, options: dict[str, Any], key: bytes) -> pl.Series:  # noqa: ARG001
    """What is left of each cell; one that is of another form, or holds more, is replaced as a whole."""
    frame = pl.DataFrame({"c": cells, "left": _left(cells, type_)})
    form = _LEFT.get(type_ or "", r"(?s).*")
    shortened = (pl.col("left") != pl.col("c")) & pl.col("left").str.contains(f"^(?:{form})$")
    whole = pl.when(pl.col("c").is_not_null()).then(pl.lit(label(type_)))
    return frame.select(pl.when(shortened).then("left").otherwise(whole)).to_series()


def _left(cells: pl.Series, type_: str | None) -> pl.Series:
    if type_ == "EMAIL":
        return cells.str.replace_all(r"[^@\s,;/|&+<>()]+@", "***@")
    if type_ == "PERSON":
        return cells.str.replace_all(r"(\p{L})[\p{L}\p{M}'’-]*\.?", "$1.")
    if type_ == "CPR":
        return cells.str.replace_all(r"\b(\d{6})(?: ?([-–])? ?|[./])\d{4}\b", "${1}${2}****")
    if type_ in ("CREDIT_CARD", "IBAN", "BANK_ACCOUNT"):
        return _last(cells, 4)
    if type_ == "PHONE":
        return _last(cells, 2)
    if type_ == "IP":
        return cells.str.replace_all(r"[.:]+[0-9A-Fa-f]+(?::\d+)?\b", ".*")
    return cells.str.replace_all(r"(?s)^\s*(\S)\s*\S.*$", "$1***")


def _last(cells: pl.Series, count: int) -> pl.Series:
    """Stars for all letters and figures but the last figures; the grouping stays. Words after them are all stars."""
    tail = cells.str.extract(rf"((?:\d[^\p{{L}}\p{{N}}]*){{{count}}})$").fill_null("")
    frame = pl.DataFrame({"c": cells, "t": tail})
    head = pl.col("c").str.head(pl.col("c").str.len_chars() - pl.col("t").str.len_chars())
    return frame.select(head.str.replace_all(r"[\p{L}\p{N}]", "*") + pl.col("t")).to_series()
