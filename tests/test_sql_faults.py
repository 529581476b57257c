"""What is wrong with a model is said in our words: the table, the column, the near ones, and never in DuckDB's."""

from pathlib import Path

import duckdb
import pytest

from core.settings import Settings
from engine.check import check
from engine.navigate import build
from engine.navigate.models import Model
from engine.sql import mistakes

ORDRER = {"ordrenr": "BIGINT", "kundenr": "BIGINT", "beløb": "DECIMAL(18,2)", "bestilt": "TIMESTAMP WITH TIME ZONE",
          "valuta": "VARCHAR"}  # fmt: skip
KUNDER = {"kundenr": "BIGINT", "navn": "VARCHAR", "by": "VARCHAR"}
SCHEMAS = {"ordrer": ORDRER, "kunder": KUNDER}
LACKING = "`ordrer` has no column `belob`. Did you mean `beløb`?"
SAID = [
    ("select belob from ordrer", LACKING),
    ("select o.belob from ordrer o", LACKING),
    ("select sum(O.BELOB) from ordrer o", "`ordrer` has no column `BELOB`. Did you mean `beløb`?"),
    ("select o.belob, k.nvan from ordrer o join kunder k using (kundenr)",
     f"{LACKING} `kunder` has no column `nvan`. Did you mean `navn`?"),
    ("select zzz from kunder", "`kunder` has no column `zzz`. It has `kundenr`, `navn` and `by`."),
    ("select belob from ordrer, kunder",
     "none of `ordrer` and `kunder` has a column `belob`. Did you mean `ordrer.beløb`?"),
    ("select 1 from kunder k where exists (select 1 from ordrer o where o.knr = k.kundenr)",
     "`ordrer` has no column `knr`. Did you mean `kundenr`?"),
    ("select kundenr from (select ordrenr from ordrer) t",
     "`kundenr` is not known at that place: a query in brackets or of WITH may not pass it on."),
    ("select z.belob from ordrer o", "there is no table or alias `z` in its FROM."),
    ("select kundenr from ordrer o join kunder k on o.kundenr = k.kundenr",
     "several of its tables have a column `kundenr`. Write `o.kundenr` or `k.kundenr`."),
    ("select valuta, sum(\"beløb\") from ordrer",
     "`valuta` must stand in GROUP BY, or in an aggregate such as `max(valuta)`."),
    ("select sum(valuta) from ordrer",
     "`sum` does not take text. Convert the value first, such as `CAST(x AS DECIMAL(18,2))`."),
    ("select case when true then valuta else \"beløb\" end from ordrer",
     "a decimal and text are mixed. Convert one of them, for example `CAST(x AS VARCHAR)`."),
    ("select kundenr from ordrer where sum(\"beløb\") > 1", "an aggregate cannot stand in WHERE. Use HAVING."),
    ("select kundenr from ordrer union select kundenr, navn from kunder",
     "the parts of its UNION have different numbers of columns."),
    ("select kundenr from ordrer order by 3", "ORDER BY names a column by a number above 1."),
    ("select (select kundenr, navn from kunder) from ordrer",
     "a query in brackets gives 2 columns where one is needed."),
    ("select * from ordrer join kunder using (ordrenr)",
     "USING names `ordrenr`, which one side of the join does not have."),
    ("select valuta.x from ordrer", "`valuta` is a column without fields, so there is no `valuta.x`."),
    ("select regexp_matches(navn, '(') from kunder", "a pattern is not valid: missing )."),
    ("select struct_extract({'a': 1}, 'b') from ordrer", "its SQL does not fit its tables."),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "told"), SAID)
def test_a_mistake_is_told_in_our_words(sql: str, told: str) -> None:
    with duckdb.connect() as connection:
        for name, columns in SCHEMAS.items():
            nothing = ", ".join(f'NULL::{kind} AS "{column}"' for column, kind in columns.items())
            connection.execute(f"CREATE VIEW {name} AS SELECT {nothing} WHERE false")
        with pytest.raises(duckdb.Error) as error:
            connection.sql(sql)
    read = {name: columns for name, columns in SCHEMAS.items() if name in sql}
    said = mistakes.planning(error.value, sql, read)
    assert said == told
    assert "Error" not in said


def test_a_model_is_planned_over_columns_alone() -> None:
    model = Model("m", 'select valuta, sum("beløb") as sum from ordrer group by 1', "", ("ordrer",))
    assert build.planned(model, {"ordrer": ORDRER}) == {"valuta": "VARCHAR", "sum": "DECIMAL(38,2)"}


FILE = "name: {}\nowner: salg\nsource: {{connector: csv, path: x.csv}}\n"


@pytest.fixture
def folder(settings: Settings) -> Path:
    for name in SCHEMAS:
        (settings.pipelines / f"{name}.yml").write_text(FILE.format(name), "utf-8")
    models = {
        "god": "select valuta as v from ordrer",
        "forkert": "-- owner: salg\n-- belob\nselect valuta,\n  belob from ordrer",
        "paa_god": "select w from god",
        "paa_forkert": "select v from forkert",
    }
    for name, sql in models.items():
        (settings.pipelines / "navigate" / f"{name}.sql").write_text(sql, "utf-8")
    return settings.pipelines


def test_check_tells_the_mistakes_of_models_before_anything_is_built(folder: Path) -> None:
    told, mistakes = check(folder, published=SCHEMAS)
    assert [str(m) for m in mistakes] == [
        f"navigate/forkert.sql:4: {LACKING}",
        "navigate/paa_god.sql:1: `god` has no column `w`. It has `v`.",
    ]
    assert told == "2 pipelines and 4 models (columns not checked of paa_forkert: forkert is not published)"
    assert [str(m) for m in check(folder, "forkert", published=SCHEMAS)[1]] == [f"navigate/forkert.sql:4: {LACKING}"]
    assert check(folder, "god", published=SCHEMAS) == ("`god`", [])


def test_check_says_of_which_models_the_columns_are_not_known(folder: Path) -> None:
    told, mistakes = check(folder, published={"kunder": KUNDER})
    assert mistakes == []
    assert told.endswith("(columns not checked of forkert, god, paa_forkert, paa_god: ordrer is not published)")
