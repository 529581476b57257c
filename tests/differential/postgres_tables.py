"""Made tables in a real PostgreSQL: random types and values, whose truth is what PostgreSQL itself writes."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import psycopg
from psycopg import sql

from tests.databases import new_database
from tests.differential.csv_columns import THINGS, local
from tests.differential.reading import Outcome, Reader
from tests.differential.truth import BAD, Column, Json, Reading, Table, Verdict, judge

COUNT = 300
NAMES = (
    "quantity,amount,unit_price,status,created,Weight kg,kategori,mærke,tags,rate,level,deadline,code,remark,worth,Beløb,ratio,"
    "flag,batch,shelf,order,select,UPPER,1st,x-y,a.b,ÆØÅ,total %,is_open,Unit"
).split(",")
ENUM = ("ny", "åben", "lukket, afvist")


@dataclass(frozen=True)
class Type:
    """A type of PostgreSQL: how it is declared, a literal of it, and what a text of it means."""

    kind: str
    declared: str
    literal: Callable[[Random], str]
    value: Callable[[str], Any] | None = None  # of the text that PostgreSQL writes; None: the text is the value
    typed: bool = False  # text alone is not enough, unless some value is none of the type


def _number(text: str) -> Any:
    try:
        value = Decimal(text)
    except ArithmeticError:
        return BAD
    return value if value.is_finite() else BAD


def _date(text: str) -> Any:
    return date.fromisoformat(text) if len(text) == 10 else BAD


def _naive(text: str) -> Any:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return BAD
    here = local(moment) if moment.year > 1 else frozenset[datetime]()
    return here if 1 < moment.year < 9999 else here | {moment, moment.replace(tzinfo=UTC)}


def _moment(text: str) -> Any:
    try:
        return datetime.fromisoformat(text.removesuffix("+00") + "+00:00") if text.endswith("+00") else BAD
    except ValueError:
        return BAD


def _bool(text: str) -> Any:
    return frozenset({text == "true", text[0], text})


def _json(text: str) -> Any:
    return Json(text)


def _money(text: str) -> Any:
    return Decimal(text.replace("$", "").replace(",", ""))


def _day(r: Random) -> date:
    return date(2024, 1, 1) + timedelta(days=r.randint(-20000, 4000))


def _time(r: Random) -> datetime:
    whole = datetime(2024, 1, 1) + timedelta(seconds=r.randint(-(10**9), 10**8))  # noqa: DTZ001
    return whole + timedelta(microseconds=r.choice((0, 0, 120_000, r.randrange(10**6))))


def _decimal(r: Random, digits: int, places: int) -> str:
    return f"{Decimal(r.randint(-(10**digits) + 1, 10**digits - 1)).scaleb(-places):f}"


def _text(r: Random) -> str:
    bits = ("\n", '"', " \\ ", "\t", " ", "; ", ",", " 🙂 ", "é", "é", "'", "\r\n", "\\N", "\x7f", "  ")
    return r.choice(THINGS) + r.choice(bits) + r.choice(THINGS)


def types(r: Random) -> list[tuple[Type, float]]:
    """Types with how often they come."""
    digits = r.choice((5, 9, 18, 18, 19, 24, 38))
    places = min(digits, r.choice((0, 2, 2, 4, 6, 7, 12, 18)))
    wide = f"numeric of {'more than' if digits > 18 else 'at most'} 18 digits"
    odd_number = r.choice(("NaN", "Infinity", "-Infinity"))
    odd_day = r.choice(("infinity", "-infinity", "0044-03-15 BC"))
    far = r.choice(("9999-12-31 23:59:59.999", "1753-01-01", "9999-12-31"))
    return [
        (Type("smallint", "smallint", lambda r: str(r.choice((-32768, 32767, r.randint(0, 99)))), _number, True), 3),
        (Type("integer", "integer", lambda r: str(r.randint(-(2**31), 2**31 - 1)), _number, True), 5),
        (Type("bigint of 19 digits", "bigint", lambda r: str(r.randint(10**18, 2**63 - 1)), _number, True), 5),
        (Type("bigint", "bigint", lambda r: str(r.randint(-(10**12), 10**12)), _number, True), 3),
        (Type(wide, f"numeric({digits},{places})", lambda r: _decimal(r, digits, places), _number, True), 8),
        (Type("numeric", "numeric", lambda r: _decimal(r, 9, r.randint(0, 6)), _number, True), 4),
        (Type("numeric of 7 to 18 places", "numeric", lambda r: _decimal(r, 18, r.choice((7, 12, 17))), _number, True), 3),
        (Type("numeric with NaN or infinity", "numeric", lambda r: odd_number if r.random() < 0.2 else "1.5", _number), 1),
        (Type("real", "real", lambda r: repr(r.random() * 10 ** r.randint(-6, 6)), _number), 3),
        (Type("double precision", "double precision", lambda r: repr(r.uniform(-1, 1) * 10 ** r.randint(-20, 20)), _number), 4),
        (Type("doubles with NaN", "double precision", lambda r: r.choice(("NaN", "-0", "1e300", "0.1")), _number), 1),
        (Type("money", "money", lambda r: f"{r.randint(-10**6, 10**6) / 100:.2f}", _money, True), 2),
        (Type("boolean", "boolean", lambda r: r.choice(("true", "false")), _bool), 3),
        (Type("words", "text", lambda r: r.choice(THINGS)), 5),
        (Type("sentences", "text", _text), 4),
        (Type("empty texts", "text", lambda r: r.choice(("", " ", "blå", "\t"))), 1.5),
        (Type("codes with leading zeros", "text", lambda r: f"{r.randint(0, 99):04}"), 3),
        (Type("numbers in text", "varchar(20)", lambda r: str(r.randint(1, 99999)), _number), 2),
        (Type("words like values", "text", lambda r: r.choice(("NULL", "null", "N/A", "NaN", "None", "true", "inf", "-"))), 2),
        (Type("codes", "varchar(8)", lambda r: f"{r.choice('ABC')}{r.randint(1, 99)}"), 2),
        (Type("padded", "char(8)", lambda r: r.choice(COLOURS)), 2),
        (Type("date", "date", lambda r: _day(r).isoformat(), _date, True), 5),
        (Type("date with infinity or BC", "date", lambda r: odd_day if r.random() < 0.2 else "2024-05-06", _date), 1),
        (Type("date, far", "date", lambda r: r.choice(("9999-12-31", "0001-01-01", "2024-01-01")), _date, True), 1),
        (Type("timestamp", "timestamp", lambda r: str(_time(r)), _naive, True), 4),
        (Type("timestamptz", "timestamptz", lambda r: f"{_time(r)}{r.choice(('+00', '+02', '-05:30'))}", _moment, True), 5),
        (Type("timestamptz, far", "timestamptz", lambda r: f"{far if r.random() < 0.3 else '2024-05-06 07:08:09'}+00", _moment, True), 2),
        (Type("timestamp, far", "timestamp", lambda r: far if r.random() < 0.3 else "2024-05-06 07:08:09", _naive, True), 2),
        (Type("timestamptz with infinity", "timestamptz", lambda r: r.choice(("infinity", "2024-05-06 07:08:09+00")), _moment), 1),
        (Type("time", "time", lambda r: str(_time(r).time()), lambda t: datetime.fromisoformat(f"2024-01-01 {t}").time()), 1),
        (Type("timetz", "timetz", lambda r: f"{_time(r).time()}+02"), 1),
        (Type("interval", "interval", lambda r: f"{r.randint(0, 3)} years {r.randint(-9, 90)} days {r.randint(0, 5000)} s"), 2),
        (Type("uuid", "uuid", lambda r: str(uuid.UUID(int=r.getrandbits(128), version=4))), 2),
        (Type("json", "json", lambda r: _document(r), _json), 2),
        (Type("jsonb", "jsonb", lambda r: _document(r), _json), 3),
        (Type("text[]", "text[]", lambda r: "{" + ",".join(r.sample(("red", "NULL", '"a,b"', '"x\\"y"', "blå"), r.randint(0, 3))) + "}"), 2),
        (Type("integer[]", "integer[]", lambda r: r.choice(("{1,2,3}", "{}", "{{1,2},{3,4}}", "{7,NULL}"))), 1),
        (Type("bytea", "bytea", lambda r: f"\\x{r.getrandbits(40):010x}"), 1),
        (Type("enum", "kind", lambda r: r.choice(ENUM)), 2),
        (Type("domain", "positive", lambda r: str(r.randint(1, 999)), _number, True), 2),
        (Type("composite", "pair", lambda r: f'({r.randint(1, 9)},"{r.choice(("a b", "c", "d,e"))}")'), 1),
        (Type("bit", "bit(8)", lambda r: f"{r.getrandbits(8):08b}"), 1),
        (Type("point", "point", lambda r: f"({r.randint(0, 9)},{r.randint(0, 9)}.5)"), 1),
        (Type("range", "int4range", lambda r: f"[{r.randint(0, 5)},{r.randint(6, 9)})"), 1),
        (Type("tsvector", "tsvector", lambda r: "'bolt':1 'brass':2"), 0.5),
        (Type("oid", "oid", lambda r: str(r.randint(1, 2**32 - 1)), _number), 0.5),
    ]  # fmt: skip


COLOURS = ("red", "green", "blue")


def _document(r: Random) -> str:
    return json.dumps(
        {"size": r.randint(1, 9), "colour": r.choice(COLOURS), "deep": [1.10, {"é": None}]}, ensure_ascii=False
    )


@dataclass
class Case:
    """A pipeline over a table, the statements that make it, and what changes before the second run."""

    number: int
    types: list[tuple[str, Type]]  # by column; the first is the key
    rows: list[list[str | None]]
    form: str = "table"  # or view, materialized view, partitioned table
    cursor: str | None = None
    keyed: bool = False
    later: list[list[str | None]] = field(default_factory=list)  # new rows, and changed ones
    gone: str | None = None  # the key of a row that is deleted
    quirks: list[str] = field(default_factory=list)
    doubled: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        return f"t{self.number}"

    @property
    def source(self) -> str:
        cursor = f", cursor: {json.dumps(self.cursor)}" if self.cursor else ""
        return f"{{connector: postgres, dsn: \"${{secret:DSN}}\", table: 'differential.{self.name}'{cursor}}}"

    def read(self, reader: Reader) -> tuple[Outcome, Verdict]:
        with psycopg.connect(DSNS[-1], autocommit=True) as db:
            db.execute(
                "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'iso_8601'; SET lc_monetary = 'C'"
            )
            db.execute("SET extra_float_digits = 1; SET search_path = differential, public")
            self._make(db)
            reader.write(self.name, self.source, more=f"key: [{json.dumps(self.types[0][0])}]\n" if self.keyed else "")
            try:
                outcome = reader.run(self.name)
                first = self._texts(db)
                verdict = self._judged(first, outcome)
                if self.later and verdict.status == "equal":
                    self._change(db)
                    left = [row for row in first if row[0] == self.gone]
                    outcome = reader.run(self.name)
                    verdict = self._judged([*self._texts(db), *left], outcome, ["run 2"])
            finally:
                reader.forget(self.name)
                db.execute("DROP SCHEMA differential CASCADE; CREATE SCHEMA differential")
        return outcome, verdict

    def _make(self, db: psycopg.Connection[Any]) -> None:
        kinds = ", ".join(f"'{label}'" for label in ENUM)
        db.execute(f"CREATE TYPE kind AS ENUM ({kinds}); CREATE TYPE pair AS (a int, b text)")
        db.execute("CREATE DOMAIN positive AS numeric(9,2) CHECK (VALUE > 0)")
        base = self.name if self.form in ("table", "partitioned table") else "base"
        columns = [sql.SQL("{} " + type_.declared).format(sql.Identifier(name)) for name, type_ in self.types]
        parted = ""
        if self.form == "partitioned table":
            parted = " PARTITION BY HASH ({})"
        create = sql.SQL("CREATE TABLE {} ({})" + parted)
        key = sql.Identifier(self.types[0][0])
        parts = [sql.Identifier(base), sql.SQL(", ").join(columns), *([key] if parted else [])]
        db.execute(create.format(*parts))
        if parted:
            for n in range(2):
                db.execute(f"CREATE TABLE part_{n} PARTITION OF {base} FOR VALUES WITH (MODULUS 2, REMAINDER {n})")
        elif self.form == "table":
            db.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(sql.Identifier(base), key))
        self._insert(db, base, self.rows)
        if self.form.endswith("view"):
            db.execute(f"CREATE {self.form} {self.name} AS SELECT * FROM base")

    def _insert(self, db: psycopg.Connection[Any], table: str, rows: list[list[str | None]]) -> None:
        values = ", ".join(f"%s::text::{type_.declared}" for _, type_ in self.types)
        with db.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} VALUES ({values})", rows)

    def _change(self, db: psycopg.Connection[Any]) -> None:
        keys = [row[0] for row in self.later] + [self.gone]
        key = sql.Identifier(self.types[0][0])
        db.execute(sql.SQL("DELETE FROM {} WHERE {}::text = ANY(%s)").format(sql.Identifier(self.name), key), [keys])
        self._insert(db, self.name, self.later)

    def _texts(self, db: psycopg.Connection[Any]) -> list[tuple[str | None, ...]]:
        """What PostgreSQL writes."""
        columns = [sql.SQL("{}::text").format(sql.Identifier(name)) for name, _ in self.types]
        found = db.execute(sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), sql.Identifier(self.name)))
        return found.fetchall()

    def _judged(self, texts: list[tuple[str | None, ...]], outcome: Outcome, more: list[str] | None = None) -> Verdict:
        made = []
        for at, (name, type_) in enumerate(self.types):
            cells = [row[at] for row in texts]
            values = [None if cell is None else type_.value(cell) for cell in cells] if type_.value else None
            if type_.kind == "money":
                cells = [None if value is None else str(value) for value in values or []]
            column = Column(name, type_.kind, cells)
            if values is not None:
                column.readings.append(Reading("the value", values))
                column.text = not type_.typed or any(value is BAD for value in values)
            if type_.kind in ("numbers in text", "padded"):
                column.text = True
            made.append(column)
        if self.doubled:
            made[-1].name, made[-1].file_name = None, self.doubled[1]
        table = Table(made, quirks=[*self.quirks, *(more or [])], order=False, refusal=not texts)
        return judge(table, outcome)

    def shape(self) -> str:
        columns = ", ".join(f"{name} {type_.declared} ({type_.kind})" for name, type_ in self.types)
        told = [f"source: {self.source}", f"keyed: {self.keyed}", f"{self.form}: {columns}"]
        told += [f"  {row!r}"[:300] for row in self.rows[:8]]
        return "\n".join([*told, *(f"  later {row!r}"[:300] for row in self.later), f"  gone: {self.gone}"])


DSNS: list[str] = []


@contextmanager
def beside() -> Iterator[dict[str, str]]:
    """A database as long as it is needed; the settings with which Atlas may read from it."""
    with new_database() as dsn:
        DSNS.append(dsn)
        try:
            with psycopg.connect(dsn, autocommit=True) as db:
                db.execute("CREATE SCHEMA differential")
            yield {"ATLAS_SECRET_DSN": dsn}
        finally:
            DSNS.pop()


KEYS = [
    Type("key", "integer", lambda r: str(r.randint(1, 2**31 - 1)), _number), Type("key", "text", lambda r: f"K-{r.randrange(10**6):06}"),
    Type("key", "bigint", lambda r: str(r.randint(10**18, 2**63 - 1)), _number), Type("key", "smallint", lambda r: str(r.randint(1, 32767)), _number),
]  # fmt: skip


def make(seed: int, number: int) -> Case:
    """The case of this number; the same for the same seed."""
    r = Random(f"postgres {seed} {number}")
    known = types(r)
    chosen = r.choices([type_ for type_, _ in known], [weight for _, weight in known], k=r.randint(1, 8))
    names = r.sample(NAMES, len(chosen))
    key = r.choices(KEYS, (6, 2, 2, 1))[0]
    columns = [(r.choice(("id", "Id", "item")), key), *zip(names, chosen, strict=True)]
    case = Case(number, columns, [], keyed=r.random() < 0.5)
    case.form = r.choices(("table", "view", "materialized view", "partitioned table"), (75, 12, 4, 9))[0]
    case.quirks += [case.form] if case.form != "table" else []
    if r.random() < 0.03:
        case.types += [
            ("Size", Type("words", "text", lambda r: r.choice(COLOURS))),
            ("SIZE", Type("words", "text", lambda r: r.choice(COLOURS))),
        ]
        case.doubled = ("Size", "SIZE")
        case.quirks.append("names that differ in case only")
    many = r.choices((0, r.randint(1, 5), r.randint(6, 60), r.randint(150, 300)), (2, 25, 63, 10))[0]
    grows = _cursor(r, case) if r.random() < 0.3 and many > 1 and case.form == "table" else None
    keys: dict[str, None] = {}
    while len(keys) < many + 3:
        keys[key.literal(r)] = None
    found = list(keys)
    case.rows = [_row(r, case, found[n], grows, n) for n in range(many)]
    if grows:
        changed = r.sample(range(many), r.randint(1, min(3, many)))
        left = [n for n in range(many) if n not in changed]
        case.later = [_row(r, case, found[n], grows, 10_000 + n) for n in changed]
        case.later += [_row(r, case, found[many + n], grows, 20_000 + n) for n in range(r.randint(1, 3))]
        case.gone = found[r.choice(left)] if left and many > 4 and r.random() < 0.4 else None
    return case


def _cursor(r: Random, case: Case) -> Callable[[int], str]:
    """A column that grows with every change, and its values."""
    begin = datetime(2024, 1, 1)  # noqa: DTZ001
    huge = r.randint(10**18, 8 * 10**18)
    kind, declared, value, read = r.choice((
        ("timestamptz", "timestamptz", lambda n: f"{begin + timedelta(minutes=37 * n)}+00", _moment),
        ("timestamptz", "timestamptz", lambda n: f"{begin + timedelta(minutes=37 * n, microseconds=n)}+02", _moment),
        ("timestamp", "timestamp", lambda n: f"{begin + timedelta(minutes=37 * n)}", _naive),
        ("date", "date", lambda n: f"{(begin + timedelta(days=n // 3)).date()}", _date),
        ("integer", "integer", lambda n: str(5 + n), _number),
        ("bigint of 19 digits", "bigint", lambda n: str(huge + n * 1000 + 7), _number),
        ("numeric", "numeric(20,4)", lambda n: f"{n + 1}.5000", _number),
        ("timestamptz with infinity", "timestamptz", lambda n: "infinity" if n == 1 else f"{begin + timedelta(hours=n)}+00", _moment),
    ))  # fmt: skip
    case.cursor, case.keyed = r.choice(("updated_at", "Changed", "version")), True
    case.types.append((case.cursor, Type(kind, declared, lambda r: "", read, kind != "timestamptz with infinity")))
    if case.doubled:  # the cursor is the last column
        case.doubled, case.types = None, [c for c in case.types if c[0] != "SIZE"]
        case.quirks.remove("names that differ in case only")
    case.quirks.append(f"cursor {kind}")
    return value


def _row(r: Random, case: Case, key: str, grows: Callable[[int], str] | None, n: int) -> list[str | None]:
    row: list[str | None] = [key]
    for at, (name, type_) in enumerate(case.types[1:]):
        if grows and name == case.cursor:
            row.append(grows(n))
        else:
            row.append(None if (at + case.number) % 3 == 0 and r.random() < 0.3 else type_.literal(r))
    return row
