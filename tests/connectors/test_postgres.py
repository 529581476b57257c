"""A table of a real PostgreSQL, read without loss, and told clearly where it cannot be."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from connectors import postgres
from core.errors import AtlasError, Misconfigured, SourceMissing, SourceUnavailable, SourceUnreadable
from core.kept import Kept
from core.models import LINE
from core.secrets import Secret
from tests.program import ROOT, Program

pytestmark = pytest.mark.services
PASSWORD = "canary-p4ss-word"
HERE = Path()


@pytest.fixture(scope="module")
def db(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def source(dsn: str, table: str, **more: Any) -> postgres.Source:
    return postgres.Source(connector="postgres", dsn=Secret("CRM_DSN", Kept(SecretStr(dsn))), table=table, **more)


def rows(dsn: str, table: str) -> pa.Table:
    """All rows of all parts."""
    of = source(dsn, table)
    batches = [batch for part in postgres.parts(of, HERE) for batch in postgres.read(of, part)]
    return pa.Table.from_batches(batches)


def failing(dsn: str, table: str = "t", **more: Any) -> AtlasError:
    of = source(dsn, table, **more)
    with pytest.raises(AtlasError) as error:
        [list(postgres.read(of, part)) for part in postgres.parts(of, HERE)]
    assert PASSWORD not in f"{error.value} {error.value.hint}"
    assert error.value.hint
    return error.value


TYPES: dict[str, tuple[str, ...]] = {
    "bool": ("true", "false"),
    "int8": ("9223372036854775807", "-9223372036854775808"),
    "numeric": ("12.50", "NaN", "Infinity", "-0.000000000000000000001", "1" * 200),
    "float8": ("0.1", "1e+300", "NaN", "-Infinity"),
    "text": ("", "NULL", "007", 'a "b", c', "\\.", "\\N", "to\nlinjer\r\n", "æøå 🦆", "x" * 3_000_000),
    "varchar(20)": ("  blanks  ",),
    "bytea": ("\\x00ff10", "\\x"),
    "uuid": ("00112233-4455-6677-8899-aabbccddeeff",),
    "date": ("2024-02-29", "infinity", "0044-03-15 BC"),
    "time": ("23:59:59.999999", "24:00:00"),
    "timetz": ("12:00:00+02",),
    "timestamp": ("2024-01-01 10:00:00.123456", "-infinity"),
    "timestamptz": ("2024-01-01 10:00:00+00", "infinity"),
    "interval": ("P1Y2M3DT4H5M6.7S", "PT0S"),
    "json": ('{"a": 1,  "a":"b"}', "null"),
    "jsonb": ('{"a": [1, 2.50, null]}',),
    "int4[]": ("{1,NULL,3}", "{}"),
    "text[]": ('{"a,b","",NULL,"NULL"}',),
    "inet": ("10.0.0.1/32",),
    "mood": ("glad", "vred, meget"),
    "positive": ("5",),
    "pair": ('(1,"a b")',),
    "int4range": ("[1,5)", "empty"),
    "xml": ("<a>b</a>",),
    "bit(3)": ("101",),
}


@pytest.fixture(scope="module")
def own_types(db: psycopg.Connection[Any]) -> None:
    db.execute("CREATE TYPE mood AS ENUM ('glad', 'vred, meget')")
    db.execute("CREATE DOMAIN positive AS int CHECK (VALUE > 0)")
    db.execute("CREATE TYPE pair AS (n int, t text)")


@pytest.mark.parametrize("kind", TYPES)
def test_values_of_a_type_are_read_as_they_were_written(
    dsn: str, db: psycopg.Connection[Any], own_types: None, kind: str
) -> None:
    db.execute(f"DROP TABLE IF EXISTS typed; CREATE TABLE typed (id int PRIMARY KEY, value {kind})")
    values = [*TYPES[kind], None]
    for number, value in enumerate(values):
        db.execute(f"INSERT INTO typed VALUES (%s, %s::{kind})", [number, value])
    assert rows(dsn, "typed")["value"].to_pylist() == values


def test_what_the_database_prefers_changes_no_value(dsn: str, db: psycopg.Connection[Any]) -> None:
    db.execute(
        "CREATE TABLE preferred AS SELECT '2024-06-01 12:00+02'::timestamptz AS z, '2024-02-01'::date AS d, "
        "'1 day'::interval AS i, 'a'::bytea AS b, '1234.50'::numeric::money AS m"
    )
    name = conninfo_to_dict(dsn)["dbname"]
    for setting in ("TimeZone TO 'Asia/Tokyo'", "DateStyle TO 'German'", "bytea_output TO 'escape'"):
        db.execute(f"ALTER DATABASE {name} SET {setting}")
    try:
        assert rows(dsn, "preferred").drop([LINE]).to_pylist() == [
            {"z": "2024-06-01 10:00:00+00", "d": "2024-02-01", "i": "P1D", "b": "\\x61", "m": "1234.50"}
        ]
    finally:
        db.execute(f"ALTER DATABASE {name} RESET ALL")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.tuples(
            st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.binary(),
            st.none()
            | st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1),
        ),
        max_size=20,
    )
)
def test_any_values_come_back(dsn: str, db: psycopg.Connection[Any], values: list[Any]) -> None:
    db.execute("DROP TABLE IF EXISTS any_; CREATE TABLE any_ (t text, n int8, b bytea, l text[])")
    with db.cursor() as cursor:
        cursor.executemany("INSERT INTO any_ VALUES (%s, %s, %s, %s)", values)
    read = rows(dsn, "any_")
    assert read["t"].to_pylist() == [value[0] for value in values]
    assert read["n"].to_pylist() == [None if value[1] is None else str(value[1]) for value in values]
    assert read["b"].to_pylist() == [None if value[2] is None else "\\x" + value[2].hex() for value in values]
    for text, value in zip(read["l"].to_pylist(), values, strict=True):
        assert db.execute("SELECT %s::text[]", [text]).fetchone() == (value[3],)


HOSTILE = ["Kunder", "år og dag", "a.b", 'x"; DROP TABLE precious; --', "select", "%s", "{}", "'", "a\\b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_of_schema_table_and_column_is_read(dsn: str, db: psycopg.Connection[Any], name: str) -> None:
    db.execute("CREATE TABLE IF NOT EXISTS precious (n int)")
    table = sql.Identifier(name, name)
    db.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    db.execute(sql.SQL("CREATE TABLE {} ({} int PRIMARY KEY)").format(table, sql.Identifier(name)))
    db.execute(sql.SQL("INSERT INTO {} VALUES (1)").format(table))
    quoted = '"' + name.replace('"', '""') + '"'
    read = rows(dsn, f"{quoted}.{quoted}")
    assert read.column_names == [name.replace('"', "'"), LINE]
    assert read.to_pylist() == [{name.replace('"', "'"): "1", LINE: 1}]
    assert db.execute("SELECT count(*) FROM precious").fetchone() == (0,)


@pytest.mark.parametrize("table", ["a.b.c", "", '"a', "a.", 'a"b', "x\0y"])
def test_what_is_no_name_of_a_table_is_a_mistake_in_the_file(table: str) -> None:
    with pytest.raises(ValueError, match="table"):
        source("", table)


def test_a_dsn_in_the_file_itself_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="must not stand in the file itself"):
        postgres.Source.model_validate({"connector": "postgres", "dsn": f"postgresql://u:{PASSWORD}@h/d", "table": "t"})


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_views_are_read(dsn: str, db: psycopg.Connection[Any], kind: str) -> None:
    name = kind.split()[0].lower() + "_of_one"
    db.execute(f"CREATE {kind} {name} AS SELECT 1 AS n, NULL::text AS t, ''::text AS e")
    assert rows(dsn, name).to_pylist() == [{"n": "1", "t": None, "e": "", LINE: 1}]


def test_an_empty_table_has_its_columns_and_one_of_a_thousand_columns_has_all(
    dsn: str, db: psycopg.Connection[Any]
) -> None:
    names = [f"c{number}" for number in range(1000)]
    db.execute(f"CREATE TABLE wide ({', '.join(name + ' int' for name in names)})")
    assert rows(dsn, "wide").column_names == [*names, LINE]
    assert rows(dsn, "wide").num_rows == 0
    db.execute("INSERT INTO wide (c999) VALUES (7)")
    assert rows(dsn, "wide")["c999"].to_pylist() == ["7"]


def test_a_row_of_nothing_but_null_is_a_row(dsn: str, db: psycopg.Connection[Any]) -> None:
    db.execute("CREATE TABLE nothing AS SELECT v::text FROM (VALUES (NULL), (''), (NULL)) AS x (v)")
    assert rows(dsn, "nothing")["v"].to_pylist() == [None, "", None]


@pytest.mark.parametrize("partitioned", [False, True])
def test_parts_cover_every_row_once_and_hold_no_value(dsn: str, db: psycopg.Connection[Any], partitioned: bool) -> None:
    name = f"big_{partitioned}".lower()
    db.execute(f"CREATE TABLE {name} (id int8 PRIMARY KEY, t text) {'PARTITION BY HASH (id)' if partitioned else ''}")
    for rest in range(2 if partitioned else 0):
        db.execute(f"CREATE TABLE {name}_{rest} PARTITION OF {name} FOR VALUES WITH (MODULUS 2, REMAINDER {rest})")
    db.execute(f"INSERT INTO {name} SELECT n * 7 - 2000003, 'row' FROM generate_series(1, 600000) n")
    db.execute(f"ANALYZE {name}")
    of = source(dsn, name)
    parts = postgres.parts(of, HERE)
    assert len(parts) > 2
    assert parts == postgres.parts(of, HERE)
    found = [int(n) for part in parts for batch in postgres.read(of, part) for n in batch["id"].to_pylist()]
    assert sorted(found) == [n * 7 - 2000003 for n in range(1, 600001)]
    assert not {part.spec["from"] for part in parts} & {-1999996, 2199997}


def test_a_column_dropped_between_plan_and_read_is_told(dsn: str, db: psycopg.Connection[Any]) -> None:
    db.execute("CREATE TABLE losing (id int PRIMARY KEY, email text)")
    of = source(dsn, "losing")
    (part,) = postgres.parts(of, HERE)
    db.execute("ALTER TABLE losing DROP COLUMN email")
    with pytest.raises(SourceUnreadable, match="has no column `email`"):
        list(postgres.read(of, part))


def test_a_server_that_ends_the_connection_in_the_middle_can_be_tried_again(
    dsn: str, db: psycopg.Connection[Any]
) -> None:
    db.execute("CREATE TABLE ending AS SELECT repeat('x', 1000) AS t FROM generate_series(1, 100000)")
    of = source(dsn, "ending")
    (part,) = postgres.parts(of, HERE)
    reading = iter(postgres.read(of, part))
    next(reading), next(reading)
    db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'atlas'")
    with pytest.raises(SourceUnavailable, match="ending"):
        list(reading)


def test_who_stops_reading_leaves_no_connection(dsn: str, db: psycopg.Connection[Any]) -> None:
    db.execute("CREATE TABLE leaving AS SELECT repeat('x', 1000) AS t FROM generate_series(1, 100000)")
    of = source(dsn, "leaving")
    reading = postgres.read(of, postgres.parts(of, HERE)[0])
    next(reading), next(reading)
    reading.close()  # type: ignore[attr-defined]
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atlas' AND datname = current_database()"
    for _ in range(100):
        if db.execute(left).fetchone() == (0,):
            return
        db.execute("SELECT pg_sleep(0.05)")
    pytest.fail("a connection is left")


def test_a_view_that_writes_is_refused(dsn: str, db: psycopg.Connection[Any]) -> None:
    db.execute("CREATE TABLE written (n int)")
    db.execute(
        "CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'INSERT INTO public.written VALUES (1) RETURNING 1'"
    )
    db.execute("CREATE VIEW writing AS SELECT writes() AS n")
    assert "writes when it is read" in failing(dsn, "writing").message
    assert db.execute("SELECT count(*) FROM written").fetchone() == (0,)


def test_a_missing_table_or_cursor_is_told_with_the_nearest(dsn: str, db: psycopg.Connection[Any]) -> None:
    db.execute('CREATE TABLE "Ordrer" (id int)')
    db.execute("CREATE TABLE customers (id int, updated_at timestamptz)")
    error = failing(dsn, "public.custmers")
    assert isinstance(error, SourceMissing)
    assert error.hint == "Near it: public.customers."
    assert "public.Ordrer" in (failing(dsn, "ordrer").hint or "")
    assert failing(dsn, "customers", cursor="updated").hint == "Near it: updated_at."


def test_a_table_that_may_not_be_read_is_told(dsn: str, db: psycopg.Connection[Any]) -> None:
    role = f"atlas_reader_{uuid.uuid4().hex[:8]}"
    db.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    try:
        db.execute("CREATE TABLE private AS SELECT 1 AS id")
        error = failing(make_conninfo(dsn, user=role, password=PASSWORD), "private")
        assert "may not be read by its user" in error.message
        assert "GRANT SELECT" in (error.hint or "")
        assert role not in f"{error} {error.hint}"
    finally:
        db.execute(f"DROP ROLE {role}")


def test_a_database_or_host_that_is_not_there_is_told(dsn: str) -> None:
    assert "does not exist" in failing(make_conninfo(dsn, dbname="nowhere_at_all")).message
    unreachable = failing(f"postgresql://u:{PASSWORD}@127.0.0.1:1/d")
    assert isinstance(unreachable, SourceUnavailable)
    assert unreachable.message.startswith("`127.0.0.1:1/d` cannot be reached")
    assert "no such host" in failing(f"host=nowhere.invalid dbname=d user=u password={PASSWORD}").message


@pytest.mark.parametrize(
    "dsn",
    [
        "", "nonsense " + PASSWORD, f"mysql://u:{PASSWORD}@h/d", f"postgresql://u:{PASSWORD}@h",
        f"postgresql://u:{PASSWORD}@h/d?options=-c%20x=y", f"postgresql://u:{PASSWORD}@h/d?service=s",
        f"host=h dbname=d passfile=/{PASSWORD}", f"postgresql://u:x@{PASSWORD}@h/d", f"postgresql://u:1/{PASSWORD}@h/d",
        f"postgresql://u:{PASSWORD}/x@h/d", f"postgresql://u:{PASSWORD}@h/d?unknown=1",
    ],
)  # fmt: skip
def test_a_dsn_that_is_malformed_or_says_too_much_is_refused(dsn: str) -> None:
    error = failing(dsn)
    assert isinstance(error, Misconfigured)
    assert "`CRM_DSN`" in error.message


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        ('FATAL:  password authentication failed for user "ida"', SourceUnreadable, "the user or the password"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "ida", database "d", no encryption', SourceUnreadable,
         "without TLS"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "ida", database "d", SSL encryption', SourceUnreadable,
         "from this machine"),
        ("server does not support SSL, but SSL was required", SourceUnreadable, "with TLS"),
        ("connection timeout expired", SourceUnavailable, "cannot be reached"),
    ],
)  # fmt: skip
def test_what_a_server_says_at_the_door_is_told_without_its_words(
    words: str, kind: type[AtlasError], told: str
) -> None:
    with pytest.raises(kind, match=told) as error, postgres.told("h:5432/d"):
        raise psycopg.OperationalError(words)
    assert "`h:5432/d`" in error.value.message
    assert "ida" not in f"{error.value} {error.value.hint}"


@pytest.mark.parametrize(
    ("limit", "told"), [("statement_timeout", "took longer"), ("lock_timeout", "is locked by somebody else")]
)
def test_what_takes_too_long_can_be_tried_again(dsn: str, db: psycopg.Connection[Any], limit: str, told: str) -> None:
    db.execute("CREATE TABLE IF NOT EXISTS held (n int)")
    with psycopg.connect(dsn) as holder, psycopg.connect(dsn) as waiting:
        holder.execute("LOCK held")
        waiting.execute("SELECT set_config(%s, '20ms', false)", [limit])
        with pytest.raises(SourceUnavailable, match=told), postgres.told("d held"):
            waiting.execute("SELECT * FROM held")


def test_text_that_is_not_utf8_is_told_without_it(dsn: str, db: psycopg.Connection[Any]) -> None:
    name = f"atlas_ascii_{uuid.uuid4().hex[:12]}"
    db.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        other = make_conninfo(dsn, dbname=name)
        with psycopg.connect(other) as ascii_:
            ascii_.execute("CREATE TABLE t AS SELECT E'hemmelig \\xe6'::text AS v")
        error = failing(other)
        assert isinstance(error, SourceUnreadable)
        assert "UTF-8" in error.message
        assert "hemmelig" not in f"{error} {error.hint}"
    finally:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_without_the_driver_it_is_said_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from pathlib import Path; from connectors import postgres; from core.secrets import Secret\n"
        "s = postgres.Source(connector='postgres', dsn=Secret('D'), table='t')\n"
        "try: postgres.parts(s, Path())\n"
        "except Exception as error: print(type(error).__name__, error, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Misconfigured Reading PostgreSQL needs the package `psycopg`.")
    assert "atlas-dataops[production]" in done.stdout


def test_a_run_publishes_masked_rows_and_says_the_secret_nowhere(
    dsn: str, db: psycopg.Connection[Any], tmp_path: Path
) -> None:
    db.execute(
        "CREATE TABLE members AS SELECT n AS id, 'person' || n || '@firma.dk' AS email, n * 1.25 AS paid, "
        "now() AS updated_at, CASE WHEN n % 2 = 0 THEN '' END AS remark FROM generate_series(1, 500) n"
    )
    given = make_conninfo(dsn, password=PASSWORD)
    program = Program(tmp_path, ATLAS_SECRET_CRM_DSN=given)
    (program.pipelines / "members.yml").write_text(
        'name: members\nowner: club\nkey: [id]\nsource: {connector: postgres, dsn: "${secret:CRM_DSN}", '
        "table: public.members, cursor: updated_at}\n"
    )
    done = program.say("run members")
    assert done["facts"]["rows_in"] == 500, done
    (published,) = [
        path
        for path in program.home.rglob("*.parquet")
        if "chart" in str(path) and "members" in str(path) and "-marks-" not in path.name
    ]
    table = pq.read_table(published)
    assert all(value.startswith("h_") or value == "[EMAIL]" for value in table["email"].to_pylist())
    assert sum(table["paid"].to_pylist()) == 500 * 501 / 2 * 5 / 4
    assert table["remark"].to_pylist().count("") == 250
    kept = [path for path in program.home.rglob("*") if path.is_file()]
    assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]
    assert PASSWORD not in f"{done} {source(given, 't')!r}"
