"""Counts the masked cells of rows that are published already, by column and kind of personal data."""

from collections import Counter

import polars as pl

from core.models import PERSONAL_TYPES, Verdict
from engine.personal.shape import BLANK

Found = dict[str, dict[str, int]]  # column -> kind -> cells, or places inside of texts
_LABEL = rf"\[({'|'.join((*PERSONAL_TYPES, 'REDACTED'))})\]"
_WHOLE = r"^[ht]_[a-z2-7]{26}$"


def masked(rows: pl.DataFrame, verdicts: dict[str, Verdict]) -> Found:
    """What the masker counted of these rows. Cells that were shortened one by one cannot be told from others."""
    found: Found = {}
    for cells in rows.get_columns():
        verdict = verdicts.get(cells.name, Verdict(cells.name))
        if cells.dtype != pl.String or (verdict.options.get("decided") and verdict.action == "keep"):
            continue
        kind = verdict.types[0] if verdict.types else "REDACTED"
        if verdict.scope == "column" and verdict.action != "keep":
            counts = {kind: int((~cells.str.contains(BLANK)).sum())}
        else:
            labels = cells.filter(cells.str.contains(_LABEL)).str.extract_all(_LABEL).explode().str.strip_chars("[]")
            counts = Counter(labels.drop_nulls().to_list())
            counts[kind] += int(cells.str.contains(_WHOLE).sum())
        if counts := {name: count for name, count in counts.items() if count}:
            found[cells.name] = counts
    return found


def together(many: list[Found]) -> Found:
    found: dict[str, Counter[str]] = {}
    for one in many:
        for column, kinds in one.items():
            found.setdefault(column, Counter()).update(kinds)
    return {column: dict(kinds) for column, kinds in found.items()}
