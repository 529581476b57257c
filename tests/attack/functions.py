"""Expressions and models made at random from DuckDB's catalogue, and a process in which those that pass the check run.

python -m tests.attack.functions [COUNT] [SEED]
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from core.errors import BadPipeline
from engine.sql import sandbox, words

Signature = tuple[str, str, list[str], str | None]  # name, kind, types of the parameters, type of all further ones
CANARY = "kanariefugl"  # part of every value that no result may hold
COLUMNS = {
    "i": "INTEGER", "n": "BIGINT", "d": "DECIMAL(18,2)", "f": "DOUBLE", "s": "VARCHAR", "b": "BOOLEAN",
    "at": "TIMESTAMP", "day": "DATE", "l": "INTEGER[]", "ls": "VARCHAR[]", "st": "STRUCT(a INTEGER, b VARCHAR)",
    "m": "MAP(VARCHAR, INTEGER)",
}  # fmt: skip
_ROWS = """SELECT i::INTEGER AS i, (i * 1000)::BIGINT AS n, (i / 3)::DECIMAL(18,2) AS d, (i / 7)::DOUBLE AS f,
    'text ' || i AS s, i % 2 = 0 AS b, TIMESTAMP '2026-01-01' + to_days(i::INTEGER) AS at,
    DATE '2026-01-01' + i::INTEGER AS day,
    [i, i + 1, NULL]::INTEGER[] AS l, ['a', i::VARCHAR] AS ls, {'a': i::INTEGER, 'b': 'x'} AS st,
    MAP {'k': i::INTEGER} AS m FROM range(5) AS r(i)
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"""  # fmt: skip
_VALUES = {
    "number": ["i", "n", "d", "f", "0", "1", "-1", "2.5", "1e308", "9223372036854775807", "'nan'::DOUBLE", "NULL", "7"],
    "text": ["s", "''", "'a'", "'%d'", "'{}'", "'[1, {\"a\": 2}]'", "'$.a'", "'year'", "NULL", "'æ\U0001f600'", "ls[1]",
             "'threads'", "'allowed_paths'", "'CANARY'", "'x'", "'2026-01-01'", "'sum'", "'select 1'", "'('"],
    "time": ["at", "day", "DATE '2026-02-30'::DATE", "TIMESTAMPTZ '2026-01-01 00:00:00+00'", "TIME '10:00'", "NULL",
             "'infinity'::TIMESTAMP", "DATE '0001-01-01'", "now()", "INTERVAL 1 DAY", "INTERVAL '-1' MONTH"],
    "truth": ["b", "true", "false", "NULL", "i > 1"],
    "list": ["l", "ls", "[]", "[1, 2]", "[NULL]", "[[1], []]", "[{'a': 1}]", "NULL::INTEGER[]", "['a', 'b']"],
    "struct": ["st", "{'a': i}", "{'a': {'b': s}}", "NULL::STRUCT(a INTEGER)", "row(1, 'a')", "m", "MAP {'a': 1}",
               "MAP {}", "map_from_entries([])"],
    "lambda": ["x -> x", "x -> x + 1", "(x, y) -> x", "(x, y) -> x || y", "lambda x: x IS NULL", "x -> [x]",
               "(x, k) -> k"],
    "other": ["'a'::BLOB", "'{}'::JSON", "uuid_extract_version(NULL)", "NULL", "x'00ff'", "1::HUGEINT", "1::UTINYINT"],
}  # fmt: skip
_KINDS = (
    ("LAMBDA", "lambda"), ("[]", "list"), ("STRUCT", "struct"), ("MAP", "struct"), ("VARCHAR", "text"),
    ("DATE", "time"), ("TIME", "time"), ("INTERVAL", "time"), ("BOOL", "truth"), ("INT", "number"),
    ("DOUBLE", "number"), ("FLOAT", "number"), ("DECIMAL", "number"), ("JSON", "other"), ("BLOB", "other"),
)  # fmt: skip
_OPERATORS = "+ - * / // % = != < >= || ~ ~~ !~~ ~~~ & | << >> ^ ** @> && <-> <=> ^@ -> ->>".split()
_TYPES = "INTEGER VARCHAR DATE TIMESTAMP JSON DOUBLE BLOB UUID DECIMAL(5,2) INTEGER[] BIT UTINYINT INTEGER[3]".split()


@dataclass(frozen=True)
class Made:
    """SQL made at random: an expression over the columns of a row, or a whole SELECT."""

    sql: str
    is_model: bool


@dataclass
class Outcome:
    """What became of what was made."""

    counts: Counter[str] = field(default_factory=Counter)
    crashed: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # DuckDB itself says that it has a mistake
    read: list[str] = field(default_factory=list)


def made(count: int, seed: int) -> Iterator[Made]:
    """`count` of them, the same for the same seed and DuckDB."""
    chance = random.Random(seed)
    with duckdb.connect() as connection:
        functions = connection.execute(
            "SELECT DISTINCT function_name, function_type, parameter_types, varargs FROM duckdb_functions() "
            "WHERE function_type <> 'pragma' ORDER BY ALL"
        ).fetchall()
    signatures: dict[str, list[Signature]] = {}
    for name, kind, types, varargs in functions:
        signatures.setdefault(name, []).append((name, kind, types or [], varargs))
    every = list(signatures.values())
    known = {name for kind in ("scalar", "aggregate") for name, verdict in words.verdicts(kind).items()
             if verdict == words.ALLOWED}  # fmt: skip
    allowed = [found for found in every if found[0][0].lower() in known]
    for _ in range(count):
        signature = chance.choice(chance.choice(allowed if chance.random() < 0.7 else every))
        call = _call(chance, signature, allowed, depth=chance.choice((0, 1, 1, 2)))
        kind = signature[1]
        is_model = kind not in ("scalar", "macro") or chance.random() < 0.4
        yield Made(_model(chance, call, kind) if is_model else _condition(chance, call), is_model)


def _call(chance: random.Random, signature: Signature, of: list[list[Signature]], depth: int) -> str:
    name, kind, types, varargs = signature
    wanted = [str(t) for t in types] + [str(varargs)] * (chance.randrange(4) if varargs else 0)
    if chance.random() < 0.1:
        wanted = wanted[:-1] if chance.random() < 0.5 else [*wanted, "ANY"]
    given = [_value(chance, type_, of, depth) for type_ in wanted]
    if not re.fullmatch(r"[A-Za-z_]\w*", name) or chance.random() < 0.1:
        name = '"' + (name.upper() if chance.random() < 0.3 else name).replace('"', '""') + '"'
    shape = chance.random()
    if shape < 0.06 and kind not in ("table", "table_macro"):
        return f"{chance.choice(('main', 'system.main', 'pg_catalog'))}.{name}({', '.join(given)})"
    if shape < 0.1 and given:
        return f"({given[0]}).{name}({', '.join(given[1:])})"
    distinct = "DISTINCT " if kind == "aggregate" and shape > 0.9 else ""
    call = f"{name}({distinct}{', '.join(given)})"
    if kind == "window" or (kind == "aggregate" and shape < 0.3):
        frame = chance.choice(
            ("", "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "RANGE BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING")
        )
        return f"{call} OVER (PARTITION BY b ORDER BY i {frame})"
    return f"{call} FILTER (WHERE i > 1)" if kind == "aggregate" and shape < 0.4 else call


def _value(chance: random.Random, type_: str, of: list[list[Signature]], depth: int) -> str:
    if depth > 0 and chance.random() < 0.4 and type_ != "LAMBDA":
        signature = chance.choice(chance.choice(of))
        if signature[1] in ("scalar", "macro"):
            return _call(chance, signature, of, depth - 1)
    if chance.random() < 0.08:
        left, right = (chance.choice(_VALUES[chance.choice(list(_VALUES))]) for _ in range(2))
        return f"({left} {chance.choice(_OPERATORS)} {right})"
    if chance.random() < 0.05:
        return f"CAST({chance.choice(_VALUES['text'])} AS {chance.choice(_TYPES)})"
    known = next((kind for word, kind in _KINDS if word in type_), None)
    if known is None or (chance.random() < 0.15 and known != "lambda"):
        known = chance.choice(list(_VALUES))
    return chance.choice(_VALUES[known])


def _condition(chance: random.Random, call: str) -> str:
    return chance.choice((call, f"{call} IS NULL", f"{call} = {call}", f"CASE WHEN b THEN {call} END IS NOT NULL",
                          f"list_transform([i], x -> {call}) IS NOT NULL", f"({call})::VARCHAR = s"))  # fmt: skip


def _model(chance: random.Random, call: str, kind: str) -> str:
    if kind in ("table", "table_macro"):
        return chance.choice((f"SELECT * FROM rows, {call}", f"SELECT {call} FROM rows"))
    if kind in ("aggregate", "window"):
        return f"SELECT {call} FROM rows {chance.choice(('', 'GROUP BY b', 'GROUP BY ROLLUP (b, i)'))}"
    return chance.choice(
        (
            f"SELECT {call} FROM rows",
            f"SELECT * FROM rows WHERE {call} IS NOT NULL",
            f"WITH a AS (SELECT {call} AS x FROM rows) SELECT x, count(*) FROM a GROUP BY ALL ORDER BY ALL",
            f"SELECT DISTINCT {call} AS x FROM rows ORDER BY x",
            f"SELECT i FROM rows QUALIFY max({call}) OVER () IS NULL",
        )
    )


def tried(many: Iterator[Made], folder: Path) -> Outcome:
    """Checks them all and runs those that are accepted, in a process that may crash; the next goes on."""
    outcome, accepted = Outcome(), []
    for one in many:
        try:
            text = (sandbox.check_select(one.sql, {"rows"}).sql if one.is_model
                    else f"SELECT ({sandbox.check_expression(one.sql, list(COLUMNS))}) FROM rows")  # fmt: skip
        except BadPipeline:
            outcome.counts["refused"] += 1
        else:
            accepted.append(text)
    outcome.counts["accepted"] = len(accepted)
    while accepted:
        accepted = accepted[run(accepted, folder, outcome) :]
    return outcome


def run(texts: list[str], folder: Path, outcome: Outcome) -> int:
    """How many of them are done with when the process ends."""
    log, given = folder / "log", folder / "texts.json"
    log.write_text("")
    given.write_text(json.dumps(texts))
    environment = {**os.environ, "CANARY": f"{CANARY} of the environment"}
    command = [sys.executable, "-m", "tests.attack.functions", "--run", str(folder)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "ended" in line:
            outcome.counts[line["ended"]] += 1
            if line["ended"] == "failed inside DuckDB":
                outcome.broken.append(texts[line["number"]])
            if line["read"]:
                outcome.read.append(texts[line["number"]])
    started = max((line["number"] for line in lines if "ended" not in line), default=-1)
    if ended.returncode == 0:
        return len(texts)
    assert started >= 0, ended.stderr[-2000:]
    if ended.returncode == _TOO_LONG:
        outcome.counts["stopped"] += 1
    else:
        outcome.counts["crashed"] += 1
        outcome.crashed.append(f"{texts[started]}  -- exit {ended.returncode}")
    return started + 1


_TOO_LONG = 75  # exit code of the process when a query goes on after it was interrupted


def _main(folder: Path) -> None:
    """The process: each text is noted before it runs, and after it."""
    import resource
    import threading

    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with sandbox.open_duckdb("Europe/Copenhagen") as connection, (folder / "log").open("a") as log:
        connection.execute("SET memory_limit = '500MB'")
        connection.execute(f"CREATE TABLE rows AS {_ROWS}")
        connection.execute(f"CREATE TABLE other AS SELECT '{CANARY} of a table' AS x")
        connection.execute(f"SET VARIABLE threads = '{CANARY} of a variable'")
        hidden = folder / CANARY / "a"
        hidden.parent.mkdir(exist_ok=True)
        hidden.write_text(f"{CANARY} of a file")
        sandbox.lock(connection, [hidden])  # the path is a setting
        for number, text in enumerate(json.loads((folder / "texts.json").read_text())):
            print(json.dumps({"number": number}), file=log, flush=True)
            interrupt, leave = threading.Timer(3, connection.interrupt), threading.Timer(8, os._exit, (_TOO_LONG,))
            interrupt.start()
            leave.start()
            read = ended = ""
            try:
                read, ended = str(connection.execute(text).fetchmany(1000)), "ran"
            except duckdb.Error as error:
                ended = "failed inside DuckDB" if "INTERNAL" in str(error) else "failed"
            except (ValueError, OverflowError, MemoryError):  # a value that Python cannot hold, as the year 300000
                ended = "not shown"
            finally:
                interrupt.cancel()
                leave.cancel()
            print(json.dumps({"number": number, "ended": ended, "read": CANARY in read}), file=log, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        _main(Path(sys.argv[2]))
    else:
        count, seed = (int(given) for given in [*sys.argv[1:], "10000", "1"][:2])
        with tempfile.TemporaryDirectory() as temporary:
            outcome = tried(made(count, seed), Path(temporary))
        print(dict(outcome.counts), *(f"CRASHED {text}" for text in outcome.crashed), sep="\n")
        print(*(f"BROKEN {text}" for text in outcome.broken), *(f"READ {text}" for text in outcome.read), sep="\n")
