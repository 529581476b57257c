"""Column types that read what they can: one value that somebody broke must not stop everything that reads its table."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Double, Table, TypeDecorator
from sqlalchemy.engine import Dialect

log = logging.getLogger("atlas.store")
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # stands for a time that cannot be read, so that what has ended stays ended
_named: set[str] = set()


class UnreadDict(dict[str, Any]):
    """Empty, for what is kept cannot be read."""


class UnreadList(list[Any]):
    """Empty, for what is kept cannot be read."""


def unread(*values: Any) -> bool:
    """Whether one of these could not be read. What decides about rights or privacy must ask."""
    return any(isinstance(value, UnreadDict | UnreadList) or value == LONG_AGO for value in values)


class _Tolerant(TypeDecorator[Any]):
    """What cannot be read is `lost()`, and the log names its column once, without the value."""

    cache_ok = True
    where = ""
    nullable = False

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        read = self.impl_instance.result_processor(dialect, coltype) or (lambda value: value)

        def tolerant(value: Any) -> Any:
            try:
                found = read(value)
                if found is None and self.nullable:
                    return None
                return self.checked(found)
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                if value is None:  # an outer join that found no row
                    return None
                if self.where not in _named:
                    _named.add(self.where)
                    log.error("a value of %s cannot be read (%s)", self.where, type(error).__name__)
                return self.lost()

        return tolerant

    def checked(self, value: Any) -> Any:
        raise NotImplementedError

    def lost(self) -> Any:
        raise NotImplementedError


class _Kept(_Tolerant):
    """JSON of one shape."""

    impl = JSON
    shape: type = dict
    should_evaluate_none = True

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        return self.impl_instance.coerce_compared_value(op, value)

    def checked(self, value: Any) -> Any:
        if not isinstance(value, self.shape):
            raise TypeError
        return value


class KeptDict(_Kept):
    cache_ok = True

    def lost(self) -> Any:
        return UnreadDict()


class KeptList(_Kept):
    cache_ok = True
    shape = list

    def lost(self) -> Any:
        return UnreadList()


class KeptNames(KeptList):
    """A list of words."""

    cache_ok = True

    def checked(self, value: Any) -> Any:
        if not all(isinstance(each, str) for each in super().checked(value)):
            raise TypeError
        return value


class Number(_Tolerant):
    """A number; one that cannot be read was not measured, or is 0."""

    impl = Double
    cache_ok = True

    def checked(self, value: Any) -> Any:
        return float(value)

    def lost(self) -> Any:
        return None if self.nullable else 0.0


class UtcTime(_Tolerant):
    """An aware time, stored in UTC on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def checked(self, value: datetime) -> datetime:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def lost(self) -> Any:
        return LONG_AGO


def name_columns(table: Table) -> None:
    """Has the types of a table know which column they are of."""
    for column in table.columns:
        if isinstance(column.type, _Tolerant):
            column.type.where, column.type.nullable = f"{table.name}.{column.name}", bool(column.nullable)
