"""What the columns' types become between two versions: the same as long as their values fit, or wider."""

from core.models import ColumnType
from engine.explore import types as column_types
from engine.explore.profile import Profile


def settled(now: Profile, before: dict[str, ColumnType], filled: dict[str, bool]) -> dict[str, ColumnType]:
    """The types of columns, most of which were published in the types `before`; `filled`: whether any value was there.

    A column keeps its type if all text fits it, or if it has none. It may become wider: whole numbers become decimals,
    decimals get more of them. Any other keeps its type too, and its first row that does not fit will be told.
    """
    return {
        name: _settled(now, name, column.type(), before.get(name), filled.get(name, False))
        for name, column in now.columns.items()
    }


def _settled(now: Profile, name: str, found: ColumnType, before: ColumnType | None, filled: bool) -> ColumnType:
    if before is None or not filled:
        return found
    if not now.columns[name].filled or before.kind == "text":
        return before
    if column_types.duckdb_type(found) == column_types.duckdb_type(before):
        return found  # perhaps written in another way
    if fitting := now.columns[name].in_the_type_of(before):
        return fitting
    wider = found.kind == "decimal" and before.kind in ("integer", "decimal")
    return found if wider and (found.scale or 0) > (before.scale or 0) else before
