"""PostgreSQL tables made by a seed: columns of any type with odd values, and what is right to publish."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg

OWN_TYPES = """
CREATE EXTENSION IF NOT EXISTS hstore;
CREATE TYPE mood AS ENUM ('glad', 'vred, meget', '');
CREATE DOMAIN percent AS numeric(5, 2) CHECK (VALUE <= 100);
CREATE DOMAIN price AS money;
CREATE DOMAIN net_price AS price;
CREATE TYPE pair AS (n bigint, t text);
"""
_WORDS = (
    "rød",
    "blå",
    "",
    "  ",
    "a,b",
    'a "b"',
    "to\nlinjer",
    "\\N",
    "NULL",
    "null",
    "007",
    "1.234",
    "æøå 🦆",
    "\t",
    "{x}",
)


def _integer(bits: int) -> Callable[[random.Random], str]:
    most = 2 ** (bits - 1)
    return lambda r: str(r.choice([0, -1, 1, most - 1, -most, r.randint(-most, most - 1), r.randint(0, 99)]))


def _day(r: random.Random) -> str:
    return date.fromordinal(r.randint(1, date.max.toordinal())).isoformat()


def _clock(r: random.Random) -> str:
    fraction = r.choice(["", f".{r.randint(0, 999999):06}"])
    return f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}{fraction}"


def _moment(r: random.Random) -> str:
    return r.choice([f"{_day(r)} {_clock(r)}"] * 6 + ["9999-12-31 23:59:59.999", "1970-01-01 00:00:00"])


def _odd_moment(r: random.Random) -> str:
    return r.choice(["infinity", "-infinity", "0044-03-15 12:00:00 BC", "12024-01-01 00:00:00", _moment(r), _moment(r)])


def _decimal(r: random.Random) -> str:
    whole, scale = r.randint(1, 30), r.randint(0, 20)
    digits = "".join(r.choice("0123456789") for _ in range(whole))
    return r.choice(["", "-"]) + digits + (f".{''.join(r.choice('0123456789') for _ in range(scale))}" if scale else "")


def _array(inner: Callable[[random.Random], str]) -> Callable[[random.Random], Any]:
    return lambda r: [r.choice([None, inner(r), inner(r)]) for _ in range(r.randint(0, 3))]


def _word(r: random.Random) -> str:
    return r.choice(_WORDS)


KINDS: dict[str, Callable[[random.Random], Any]] = {
    "smallint": _integer(16),
    "integer": _integer(32),
    "bigint": _integer(64),
    "snowflake bigint": lambda r: str(r.randint(10**17, 2**63 - 1)),
    "numeric": _decimal,
    "odd numeric": lambda r: r.choice(["NaN", "Infinity", "-Infinity", _decimal(r)]),
    "numeric(12,2)": lambda r: f"{r.randint(-(10**11), 10**11) / 100:.2f}",
    "percent": lambda r: f"{r.randint(0, 10000) / 100:.2f}",
    "real": lambda r: r.choice(["1e-05", "0.1", "NaN", "-Infinity", str(r.random())]),
    "double precision": lambda r: r.choice(["1e+300", "0.1", "1e-05", str(r.random()), str(r.randint(0, 999))]),
    "money": lambda r: f"{r.randint(-(10**9), 10**9) / 100:.2f}",
    "price": lambda r: f"{r.randint(0, 10**6) / 100:.2f}",
    "net_price": lambda r: f"{r.randint(0, 10**6) / 100:.2f}",
    "text": _word,
    "varchar(20)": _word,
    "char(8)": lambda r: r.choice(["a", "", "abc"]),
    "name": lambda r: r.choice(["a", "b c"]),
    "numbers in text": lambda r: r.choice(["1", "02", "3.10", "1e5", "+4", " 5"]),
    "boolean": lambda r: r.choice(["true", "false"]),
    "bytea": lambda r: r.randbytes(r.randint(0, 6)),
    "uuid": lambda r: f"{r.getrandbits(128):032x}",
    "date": _day,
    "odd date": lambda r: r.choice(["infinity", "-infinity", "0044-03-15 BC", "9999-12-31", _day(r)]),
    "time": lambda r: r.choice(["24:00:00", _clock(r)]),
    "timetz": lambda r: f"{_clock(r)}+0{r.randint(0, 9)}",
    "timestamp": _moment,
    "timestamptz": lambda r: f"{_moment(r)}+00",
    "odd timestamp": _odd_moment,
    "odd timestamptz": _odd_moment,
    "timestamp(0)": _moment,
    "interval": lambda r: r.choice(["1 year 2 mons 3 days 04:05:06.7", "24:00:00", "-1 day", "0"]),
    "json": lambda r: r.choice(['{"a": 1,  "a": "b"}', "null", "[1, 2.50]", '"x"', "1e5"]),
    "jsonb": lambda r: r.choice(['{"a": [1, 2.50, null]}', "[]", "12345678901234567890"]),
    "integer[]": _array(_integer(32)),
    "text[]": _array(_word),
    "numeric[]": _array(_decimal),
    "timestamp[]": _array(_moment),
    "bigint[]": _array(lambda r: str(r.randint(10**17, 2**63 - 1))),
    "mood": lambda r: r.choice(["glad", "vred, meget", ""]),
    "pair": lambda r: f'({r.randint(0, 99)},"a b")',
    "hstore": lambda r: r.choice(['"a"=>"1"', "", '"a b"=>NULL']),
    "inet": lambda r: f"10.0.{r.randint(0, 255)}.1/24",
    "cidr": lambda r: f"10.{r.randint(0, 255)}.0.0/16",
    "macaddr": lambda r: f"08:00:2b:01:02:{r.randint(16, 99)}",
    "bit(3)": lambda r: r.choice(["101", "000"]),
    "varbit": lambda r: r.choice(["1", "", "0010"]),
    "xml": lambda r: "<a>b</a>",
    "int4range": lambda r: r.choice(["[1,5)", "empty", "(,3)"]),
    "tstzrange": lambda r: "[2024-01-01 00:00+00,)",
    "datemultirange": lambda r: "{[2024-01-01,2024-02-01),[2025-01-01,2025-01-05)}",
    "point": lambda r: f"({r.randint(0, 9)},2.5)",
    "box": lambda r: "(1,1),(0,0)",
    "tsvector": lambda r: "'a':1 'b':2",
    "oid": lambda r: str(r.randint(0, 2**32 - 1)),
    "pg_lsn": lambda r: "16/B374D848",
    '"char"': lambda r: r.choice("abc"),
    "jsonpath": lambda r: '$."a"',
}
_SQL = {"snowflake bigint": "bigint", "numbers in text": "text"}


def sql_type(kind: str) -> str:
    return _SQL.get(kind, kind.removeprefix("odd "))


class Made:
    """One table of some columns and rows; a third of the values are null in some columns and none in others."""

    def __init__(self, seed: int, db: psycopg.Connection[Any]) -> None:
        pick = random.Random(seed)
        self.name = f"made_{seed}"
        self.kinds = dict(enumerate(pick.sample(sorted(KINDS), pick.randint(4, 12))))
        columns = ", ".join(f"c{n} {sql_type(kind)}" for n, kind in self.kinds.items())
        db.execute(f"CREATE TABLE {self.name} (nr integer PRIMARY KEY, {columns})")
        places = ", ".join(f"%s::{sql_type(kind)}" for kind in self.kinds.values())
        emptiness = [pick.choice([0, 0, 0.3]) for _ in self.kinds]
        for nr in range(pick.randint(1, 30)):
            values = [None if pick.random() < empty else KINDS[kind](pick)
                      for kind, empty in zip(self.kinds.values(), emptiness, strict=True)]  # fmt: skip
            db.execute(f"INSERT INTO {self.name} VALUES (%s, {places})", [nr, *values])

    @property
    def source(self) -> str:
        kept = "".join(f"    c{n}: keep\n" for n in self.kinds)
        return (
            f'source: {{connector: postgres, dsn: "${{secret:DSN}}", table: public.{self.name}}}\nkey: [nr]\n'
            f"privacy:\n  columns:\n{kept}"
        )

    def truth(self, db: psycopg.Connection[Any]) -> dict[str, list[str | None]]:
        """PostgreSQL's own text of each column, in the order of the key."""
        cast = {"money": "::numeric::text", "price": "::numeric::text", "net_price": "::numeric::text"}
        asked = ", ".join(f"c{n}{cast.get(kind, '::text')}" for n, kind in self.kinds.items())
        for setting in ("TimeZone TO 'UTC'", "IntervalStyle TO 'iso_8601'", "extra_float_digits TO 1"):
            db.execute(f"SET {setting}")
        rows = db.execute(f"SELECT {asked} FROM {self.name} ORDER BY nr").fetchall()
        return {f"c{n}": [row[n] for row in rows] for n in self.kinds}


def differences(truth: list[str | None], found: list[Any]) -> Iterator[str]:
    for wanted, value in zip(truth, found, strict=True):
        if not same(wanted, value):
            yield f"{wanted!r} became {value!r}"


def same(text: str | None, value: Any) -> bool:
    """Whether a published value is the one that PostgreSQL writes so."""
    if text is None or value is None or isinstance(value, str):
        return bool(text == value)
    try:
        if isinstance(value, datetime):
            return datetime.fromisoformat(text).replace(tzinfo=UTC) == value.astimezone(UTC)
        if isinstance(value, date):
            return date.fromisoformat(text) == value
        return Decimal(text) == Decimal(value)
    except (ValueError, ArithmeticError):
        return False
