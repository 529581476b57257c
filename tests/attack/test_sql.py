"""SQL that people write calls nothing but what is on the list, in whatever form it is written."""

import importlib.util
import json
from pathlib import Path

import duckdb
import pytest

from core.errors import BadPipeline
from engine.sql import sandbox, words
from tests.attack import functions
from tests.attack.attempts import Attempts, Guard

COLUMNS = ["a", "b", "x"]
ROOT = Path(__file__).parents[2]


def _refused() -> list[str]:
    """Every function of the installed DuckDB that is not on the list, with those of tables and of PRAGMA."""
    with duckdb.connect() as connection:
        names = {str(name).lower() for (name,) in connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()}  # fmt: skip
    allowed = {name for kind in ("scalar", "aggregate") for name, verdict in words.verdicts(kind).items()
               if verdict == words.ALLOWED}  # fmt: skip
    return sorted(names - allowed)


REFUSED = _refused()
# collations and what is internal are refused by one rule each; a few of them stand for all in the longer forms
TELLING = [name for name in REFUSED if not name.startswith(("collate_", "icu_collate_", "__internal"))]


def _expression_held(sql: str) -> bool:
    try:
        sandbox.check_expression(sql, COLUMNS)
    except BadPipeline:
        return True
    return False


def _model_held(sql: str) -> bool:
    try:
        sandbox.check_select(sql, {"orders"})
    except BadPipeline:
        return True
    return False


def _held_by_duckdb(sql: str) -> bool:
    """Whether DuckDB's tree alone is reason enough; sqlglot's is not asked."""
    with duckdb.connect() as connection:
        ((told,),) = connection.execute("SELECT json_serialize_sql(CAST(? AS VARCHAR))", [sql]).fetchall()
    tree = json.loads(told)
    try:
        words.only_known_words(tree.get("statements"))
    except BadPipeline:
        return True
    return bool(tree["error"])


def test_every_function_that_is_not_on_the_list_is_refused_by_its_name(attempts: Attempts) -> None:
    for name in REFUSED:
        quoted = sandbox.quoted(name)
        attempts.tried("function", name, held=_expression_held(f"{quoted}(a, b) IS NULL"))


FORMS = {
    "upper case": "{upper}(a) = 1", "of a schema": "main.{name}(a) = 1", "of the system": "system.main.{name}(a) = 1",
    "of pg_catalog": "pg_catalog.{name}(a) = 1", "called on a value": "(a).{name}(b) = 1",
    "in a lambda": "list_transform([a], x -> {name}(x)) = []", "in a struct": "{{'k': {name}(a)}} IS NULL",
    "in a case": "CASE WHEN b THEN {name}(a) END IS NULL", "with a comment": "{name}/**/(a) IS NULL",
    "without arguments": "{name}() IS NULL", "in a list": "[y for y in [{name}(a)] if y] = []",
}  # fmt: skip
MODELS = {
    "selected": "SELECT {name}(a) FROM orders", "in where": "SELECT * FROM orders WHERE {name}(a)",
    "in a window": "SELECT sum(a) OVER (ORDER BY {name}(a)) FROM orders", "as a window": "SELECT {name}(a) OVER () FROM orders",
    "after from": "SELECT * FROM orders, {name}(a)", "in order": "SELECT * FROM orders ORDER BY {name}(a)",
    "in having": "SELECT a FROM orders GROUP BY a HAVING {name}(a)", "in qualify": "SELECT a FROM orders QUALIFY {name}(a)",
    "in a filter": "SELECT count(*) FILTER (WHERE {name}(a)) FROM orders", "in limit": "FROM orders LIMIT {name}(1)",
    "in with": "WITH w AS (SELECT {name}(a) FROM orders) FROM w", "in replace": "SELECT * REPLACE ({name}(a) AS a) FROM orders",
    "in columns": "SELECT COLUMNS(c -> {name}(c)) FROM orders", "in a subquery": "SELECT (SELECT {name}(a)) FROM orders",
    "in values": "SELECT * FROM orders, (VALUES ({name}(1))) v", "in pivot": "FROM orders PIVOT (sum({name}(a)) FOR b IN (1))",
    "in join": "SELECT * FROM orders o JOIN orders p ON {name}(o.a)", "in unnest": "SELECT * FROM orders, unnest({name}(a))",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_an_expression_hides_a_function(attempts: Attempts, form: str) -> None:
    for number, name in enumerate(TELLING):
        if number % len(FORMS) == list(FORMS).index(form):  # each name in one form, and each form with many names
            sql = FORMS[form].format(name=sandbox.quoted(name), upper=sandbox.quoted(name.upper()))
            attempts.tried(f"function {form}", name, held=_expression_held(sql))


@pytest.mark.parametrize("form", MODELS)
def test_no_form_of_a_model_hides_a_function(attempts: Attempts, form: str) -> None:
    for number, name in enumerate(TELLING):
        if number % len(MODELS) == list(MODELS).index(form):
            sql = MODELS[form].format(name=sandbox.quoted(name))
            attempts.tried(f"function {form}", name, held=_model_held(sql))


def test_an_operator_is_no_function(attempts: Attempts) -> None:
    names = [name for name in REFUSED if not name[0].isalpha() and not name.startswith("__")]
    for name in [*names, "is distinct from", "is not distinct from"]:
        for sql in (
            f"{sandbox.quoted(name)}({{'a': a}}, b)",
            f"{sandbox.quoted(name)}(a)",
            f"(a).{sandbox.quoted(name)}(b)",
        ):
            attempts.tried("operator", sql, held=_expression_held(sql) and _model_held(f"SELECT {sql} FROM orders"))
        if not name[0].isalpha():
            sql = f"a OPERATOR(pg_catalog.{name}) b"  # for DuckDB this is a call of the function, as what crashed it
            attempts.tried("operator", sql, held=_expression_held(sql) and _held_by_duckdb(f"SELECT {sql} FROM orders"))


def test_no_type_but_those_on_the_list(attempts: Attempts) -> None:
    known = [name for name, verdict in words.verdicts("type").items() if verdict != words.ALLOWED]
    shapes = [
        "union(x int, y text)",
        "enum('a')",
        "int[3]",
        "int[100000][100000]",
        "mood",
        "main.text",
        "other.t",
        "decimal(99999)[9]",
    ]
    for name in [*known, *shapes]:
        for sql in (f"CAST(a AS {name}) IS NULL", f"TRY_CAST([a] AS {name}[]) IS NULL", f"a::struct(k {name}) IS NULL"):
            attempts.tried("type", sql, held=_expression_held(sql))
    for sql in ("b'0101' = a", "a = '1'::bit"):
        attempts.tried("type", sql, held=_expression_held(sql) and _held_by_duckdb(f"SELECT {sql}"))


STATEMENTS = [
    "PRAGMA version", "PRAGMA json_execute_serialized_sql('x')", "SET threads = 1", "SET VARIABLE x = 1", "RESET threads",
    "ATTACH 'x.db'", "DETACH x", "COPY orders TO 'x'", "EXPORT DATABASE 'x'", "IMPORT DATABASE 'x'", "INSTALL httpfs",
    "LOAD httpfs", "CALL pragma_version()", "CREATE MACRO f(a) AS a", "CREATE TABLE t AS FROM orders", "CREATE SECRET (TYPE s3)",
    "EXPLAIN FROM orders", "EXPLAIN ANALYZE FROM orders", "DESCRIBE orders", "SUMMARIZE orders", "SHOW TABLES", "USE memory",
    "FROM (DESCRIBE orders)", "FROM (SUMMARIZE orders), orders", "FROM (SHOW TABLES), orders", "CHECKPOINT", "VACUUM",
    "SELECT * FROM orders TABLESAMPLE 10%", "SELECT * FROM orders USING SAMPLE 5 ROWS", "SELECT current_user FROM orders",
    "SELECT user FROM orders", 'SELECT "user" FROM orders', "SELECT session_user FROM orders", "SELECT $1 FROM orders",
    "SELECT current_schema FROM orders", 'SELECT "current_catalog" FROM orders', "SELECT current_role FROM orders",
    "SELECT json_serialize_plan('SELECT 1') FROM orders", "SELECT json_serialize_plan(json_serialize_sql('SELECT 1')) FROM orders",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM orders'))", "FROM query('FROM orders')", "SELECT ? FROM orders",
    "FROM query_table('orders')", "FROM orders, range(9)", "FROM orders, generate_series(1, 9)", "FROM orders, repeat('a', 9)",
    "FROM orders, test_all_types()", "FROM orders AT (VERSION => 1)", "SELECT DEFAULT FROM orders", "FROM orders, summary((FROM orders))",
    "FROM histogram(orders, a)", "FROM histogram_values(orders, a)", "FROM orders, LATERAL read_text(a)", "FROM orders, glob(a)",
    "FROM orders, unnest(read_text('x'))", "FROM orders POSITIONAL JOIN duckdb_settings()", "PIVOT orders ON a USING getenv(a)",
]  # fmt: skip
SIZES = [
    "lpad(a, 1001) = ''", "rpad(a, b, ' ') = ''", "repeat(a, 1000000000) = ''", "repeat(a, b) = ''", "lpad(a, 500 + 600, 'x') = ''",
    "format('{:>1000000000}', a) = ''", "format('{:{}}', a, b) = ''", "printf('%1000000000d', a) = ''", "printf('%*d', a, b) = ''",
    "format(a, b) = ''", "printf(a || '%d', b) = ''", "to_base(1, 2, 1000000) = ''", "bar(a, 0, 1, 1e9) = ''", "a.repeat(99999) = ''",
    "bar(a, 0, 1, b) = ''", "list_resize([a], 1000000000) IS NULL", "array_resize([a], b) IS NULL", "equi_width_bins(0, 1, 9, true) IS NULL",
    "repeat([a], 1000000) IS NULL", "lpad(a, -1 + 1e9::int, 'x') = ''", '"REPEAT"(a, 99999) IS NULL', "main.lpad(a, 99999, 'x') = ''", "(a).repeat(99999) = ''", "x.a.repeat(99999) = ''", "a.format(b) = ''",
    "repeat(repeat(a, 1000), 1000) = ''", "lpad(upper(repeat(a, 1000)), 900, 'x') = ''",
]  # fmt: skip


def test_no_statement_and_no_form_of_from_reads_anything_else(attempts: Attempts) -> None:
    for sql in STATEMENTS:
        of_duckdb = _held_by_duckdb(sql) or "AT (" in sql  # sqlglot alone refuses a table of another moment
        attempts.tried("statement", sql, held=_model_held(sql) and of_duckdb)


def test_no_call_asks_for_a_size_without_a_bound(attempts: Attempts) -> None:
    for sql in SIZES:
        attempts.tried("size", sql, held=_expression_held(sql))
    for sql in ("lpad(a, 8, '0') = ''", "repeat('ab', 3) = a", "format('{:,}', a) = ''", "printf('%05.2f%%', a) = ''"):
        assert not _expression_held(sql)


TYPE_CALLS = ("row", "date", "timestamp", "timestamptz", "uuid", "blob", "decimal", "char", "varchar", "bit", "double",
              "text", "int", "struct", "map", "time", "interval")  # fmt: skip


def test_sql_that_overflows_a_parser_is_refused_in_words(attempts: Attempts) -> None:
    many = {"casts": "a" + "::int" * 390 + " > 0", "escapes": "a like 'x'" + " escape 'y'" * 150}
    for name, sql in many.items():
        attempts.tried("overflow", name, held=_expression_held(sql))
    for name, part in {"sum": "+a", "text": "||a", "json": "->'x'", "and": " and a"}.items():
        attempts.tried(
            "overflow", f"20,000 of {name}", held=_model_held("select a" + part * 20_000 + " as b from orders")
        )


def test_what_is_nested_or_chained_is_refused_before_it_is_parsed(attempts: Attempts) -> None:
    chains = {"a" + "[1]" * 31, "a" + ".b()" * 31, "a" + '."f"(1)[1]' * 16, "a" + ".left()" * 31, "(a)" + ".b" * 31}
    nested = {
        left * 31 + "a" + right * 31
        for left, right in (("(", ")"), ("abs(", ")"), ("[", "]"), ("{'k':", "}"), ("a[", "]"))
    }
    # sqlglot reads what stands in these twice, so each of them doubles its time
    typed = {f"{name}(" * n + "a" + ")" * n for name in TYPE_CALLS for n in (7, 12, 20, 28)}
    for sql in sorted(chains | nested | typed):
        with pytest.raises(BadPipeline) as refused:
            sandbox.check_expression(sql, None)
        attempts.tried("nested", sql[:40], held=refused.value.message == "The SQL is nested too deeply.")
    assert not _expression_held("((((a + b)))) > a[1][2].x.y - (a - (b)) * (a) / (b) + " + " + ".join(["a[1]"] * 50))


@pytest.mark.parametrize(
    ("sql", "message", "hint"),
    [
        (
            "getenv('HOME') = a",
            "The function `getenv` is not allowed in SQL that people write.",
            None,
        ),
        ("lenght(a) = 1", "The function `lenght` is not allowed", "Did you mean `length`?"),
        ("current_setting('x') = a", "it reads or changes settings", None),
        ("random() > 0.5", "it gives something else each time", None),
        ("a::varchr = ''", "The type `varchr` is not allowed", "Did you mean `varchar`?"),
        ("\"!=\"({'a': a}, a)", "The function `!=` is not allowed in SQL that people write: it is an operator", None),
        ("\"||\"(a, b) = ''", "`||` as a function is not allowed in SQL that people write: it is an operator", None),
    ],
)
def test_a_refusal_names_the_word_and_the_nearest_that_is_allowed(sql: str, message: str, hint: str | None) -> None:
    with pytest.raises(BadPipeline) as refused:
        sandbox.check_expression(sql, COLUMNS)
    assert message in refused.value.message
    assert hint is None or refused.value.hint == hint


def test_the_list_is_of_this_duckdb_and_every_word_on_it_was_reviewed() -> None:
    """A new DuckDB brings new words. Run tools/sql_words.py; they are refused until somebody has reviewed them."""
    spec = importlib.util.spec_from_file_location("tool", ROOT / "tools" / "sql_words.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    before = tool.FILE.read_text(encoding="utf-8")
    anew = tool.written(before)
    assert anew == before, f"changed: {sorted(set(anew.splitlines()) ^ set(before.splitlines()))[:20]}"
    assert [line for line in anew.splitlines() if line.endswith(tool.NEW)] == []


def _all_held(count: int, seed: int, tmp_path: Path, attempts: Attempts) -> functions.Outcome:
    outcome = functions.tried(functions.made(count, seed), tmp_path)
    print(json.dumps(outcome.counts))  # how many were accepted, refused, ran and crashed
    bad = {*outcome.read, *outcome.crashed}
    for number in range(count):
        attempts.tried("made at random", f"{seed}: {number}", held=True)
    for text in bad:
        attempts.tried("made at random", text, held=False)
    assert outcome.counts["refused"] + outcome.counts["accepted"] == count
    return outcome


def test_made_at_random_they_read_nothing_else_and_crash_nothing(tmp_path: Path, attempts: Attempts) -> None:
    outcome = _all_held(300, 7, tmp_path, attempts)
    assert outcome.counts["ran"] > 30


@pytest.mark.long  # a few minutes; the suite has the 300 above
@pytest.mark.timeout(3600)
def test_ten_thousand_made_at_random_read_nothing_else_and_crash_nothing(tmp_path: Path, attempts: Attempts) -> None:
    outcome = _all_held(10_000, 1, tmp_path, attempts)
    assert outcome.counts["ran"] > 1_000


def test_the_process_for_what_is_made_at_random_notes_a_crash_and_a_leak_and_goes_on(tmp_path: Path) -> None:
    """Without the check, as if it had let these through."""
    outcome = functions.Outcome()
    left = ["SELECT \"!=\"({'a': s}, s) FROM rows", "SELECT x FROM other", "SELECT 1", "SELECT getenv('CANARY')",
            "SELECT current_setting('allowed_paths')", "SELECT getvariable('threads')"]  # fmt: skip
    given = list(left)
    while left:
        left = left[functions.run(left, tmp_path, outcome) :]
    assert (len(outcome.crashed), outcome.read) == (1, [given[1], given[4], given[5]])


_ONE_FORM = "test_sql.py::test_no_form_of_a_model_hides_a_function"
GUARDS = [
    Guard("engine/sql/words.py", "if name in _GROWING and any(", "if False and any(",
          "test_sql.py::test_no_call_asks_for_a_size_without_a_bound"),
    Guard("engine/sql/sandbox.py", " or sum(types) > _DEEPEST_TYPES", "",
          "test_sql.py::test_what_is_nested_or_chained_is_refused_before_it_is_parsed"),
    Guard("engine/sql/sandbox.py", "    except RecursionError:\n        raise BadPipeline(_TOO_DEEP) from None\n\n\ndef faults", "    finally:\n        pass\n\n\ndef faults",
          "test_sql.py::test_sql_that_overflows_a_parser_is_refused_in_words"),
    Guard("engine/sql/sandbox.py", "    words.only_known_nodes(tree)\n", "",
          "test_sql.py::test_no_statement_and_no_form_of_from_reads_anything_else"),
    Guard("engine/sql/words.py", "    if verdict != ALLOWED:\n        known", "    if False:\n        known",
          "test_sql.py::test_every_function_that_is_not_on_the_list_is_refused_by_its_name"),
    Guard("engine/sql/words.py", 'elif "function_name" in node:', 'elif node.get("class") == "FUNCTION":', _ONE_FORM),
    Guard("engine/sql/words.py", "if verdict != OPERATOR or len(path) > 1:", "if False:",
          "test_sql.py::test_an_operator_is_no_function"),
    Guard("engine/sql/words.py", "    if verdict == OPERATOR:", "    if verdict == OPERATOR and (verdict := ALLOWED) != ALLOWED:",
          "test_sql.py::test_an_operator_is_no_function"),
    Guard("engine/sql/words.py", 'if verdict != ALLOWED or len(node["qualified_name"]["path"]) > 1:', "if False:",
          "test_sql.py::test_no_type_but_those_on_the_list"),
    Guard("engine/sql/words.py", "if literal not in _LITERALS:", "if False:",
          "test_sql.py::test_no_type_but_those_on_the_list"),
    Guard("engine/sql/words.py", 'if node.get("sample"):', "if False:",
          "test_sql.py::test_no_statement_and_no_form_of_from_reads_anything_else"),
    Guard("engine/sql/words.py", 'size.get("kind") != "INTEGER" or int(size["text"]) > _LARGEST', "False",
          "test_sql.py::test_no_call_asks_for_a_size_without_a_bound"),
    Guard("engine/sql/words.py", 'text.get("kind") != "STRING" or _WIDTH.search(text["text"])', "False",
          "test_sql.py::test_no_call_asks_for_a_size_without_a_bound"),
    Guard("engine/sql/words.py", "path[0].lower() in _SESSION", "False",
          "test_sql.py::test_no_statement_and_no_form_of_from_reads_anything_else"),
]  # fmt: skip
