"""The columns of a published table: counted as anybody would count them, and no example tells of a person."""

from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.main import IN_PROCESS
from atlas.embedded import Embedded
from bot.skills.columns import _personal
from core.models import Table
from engine import described
from engine.store import access, audit
from tests.bot import danish
from tests.bot.test_skills import Person

BLANKS = (" ", "\t", "\r\n", "\x0b\x0c", "\x1c", "\x85", "\u00a0", "\u2003 ", "\u2028")
CELLS = st.one_of(st.none(), st.sampled_from([*BLANKS, "", "æ", "ø", "Å", "x y"]), st.text(max_size=3))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CELLS, max_size=40), st.lists(st.one_of(st.none(), st.integers(-3, 3)), min_size=40, max_size=40))
def test_rows_without_a_value_and_different_values_are_counted(
    tmp_path: Path, texts: list[str | None], numbers: list[int | None]
) -> None:
    texts = [None if t is None else t.replace("\x00", "") for t in texts]
    numbers = numbers[: len(texts)]
    frame = pl.DataFrame({"tekst": texts, "tal ø": numbers}, schema={"tekst": pl.String, "tal ø": pl.Int64})
    path = tmp_path / f"{abs(hash((tuple(texts), tuple(numbers))))}.parquet"
    frame.write_parquet(path)
    table = Table("t", (path,), {"tekst": "VARCHAR", "tal ø": "BIGINT"}, rows=len(texts))
    text, number = described.columns(table, ["tekst", "tal ø"])
    filled = [t for t in texts if t is not None and t.strip()]
    assert (text.empty, text.distinct) == (len(texts) - len(filled), len(set(filled)))
    assert (number.empty, number.distinct) == (numbers.count(None), len({n for n in numbers if n is not None}))
    for column, values in ((text, filled), (number, [str(n) for n in numbers if n is not None])):
        often = {value for value in values if values.count(value) >= described.SHARED_BY}
        assert column.example in often if often else column.example is None


def test_a_column_is_shown_by_no_example_unless_it_is_asked_for(tmp_path: Path) -> None:
    pl.DataFrame({"navn": ["Åse"] * 20, "by": ["Køge"] * 20}).write_parquet(tmp_path / "t.parquet")
    table = Table("t", (tmp_path / "t.parquet",), {"navn": "VARCHAR", "by": "VARCHAR"}, rows=20)
    assert [c.example for c in described.columns(table, ["by"])] == [None, "Køge"]
    assert [c.example for c in described.columns(table)] == [None, None]


def test_of_many_rows_different_values_are_estimated_and_that_is_told(tmp_path: Path) -> None:
    rows = described.EXACT + 1
    pl.DataFrame({"n": range(rows)}).write_parquet(tmp_path / "t.parquet")
    table = Table("t", (tmp_path / "t.parquet",), {"n": "BIGINT"}, rows=rows)
    assert not described.is_exact(table)
    assert described.columns(table)[0].distinct == pytest.approx(rows, rel=0.05)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> "object":
    made = danish.opened(tmp_path_factory.mktemp("shop"))
    for said in ("run kunder", "run ordrer"):
        assert Person(made).says(said).ok
    yield made
    made.close()


def client(atlas: Embedded, user: str, **limits: list[str]) -> TestClient:
    with atlas.home.database.write() as db:
        token = access.issue(db, access.user(db, user), 600, **limits)
    return TestClient(atlas.app, base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"})


def test_an_example_is_for_those_who_may_read_rows_and_never_of_a_person(atlas: Embedded) -> None:
    shown = client(atlas, "operator").get("/api/v1/datasets/kunder/columns").json()
    assert {c["name"]: c["example"] for c in shown["columns"] if c["example"]}.keys() == {"by", "kilde"}
    assert {c["name"]: c["personal"] for c in shown["columns"] if c["personal"]} == {
        "navn": ["PERSON"], "e_mail": ["EMAIL"],
    }  # fmt: skip
    joins = client(atlas, "operator").get("/api/v1/datasets/ordrer/columns").json()["columns"]
    assert [c["example"] for c in joins if c["name"] == "kundenr"] == [None]  # it tells one customer from another
    for other in (client(atlas, "viewer"), client(atlas, "operator", scopes=["read:catalog"])):
        columns = other.get("/api/v1/datasets/kunder/columns").json()["columns"]
        assert [c["example"] for c in columns] == [None] * len(columns)
    assert client(atlas, "operator", datasets=["ordrer"]).get("/api/v1/datasets/kunder/columns").status_code == 403


def test_the_columns_of_a_table_tell_which_personal_ones_reach_them(atlas: Embedded) -> None:
    folder = atlas.home.settings.pipelines / "navigate"
    (folder / "pr_navn.sql").write_text(
        "-- owner: crm-team\nselect navn, count(*) as n from kunder group by 1", "utf-8"
    )
    assert Person(atlas).says("run pr_navn").ok
    told = Person(atlas).says("columns pr_navn")
    assert told.facts["columns"][0]["reached_by"] == ["kunder.navn (hashed)"]
    assert told.facts["columns"][1]["reached_by"] == []


def test_masked_rows_of_a_dataset_are_shown_to_those_who_may_and_that_is_kept(atlas: Embedded) -> None:
    operator = client(atlas, "operator")
    shown = operator.get("/api/v1/models/kunder/rows", params={"limit": 1000}).json()
    assert (shown["kind"], len(shown["rows"]), shown["total_rows"]) == ("charted", 20, 200)
    place = {name: n for n, name in enumerate(shown["columns"])}
    assert all(row[place["navn"]].startswith("h_") for row in shown["rows"])
    assert all(row[place["e_mail"]] is None or row[place["e_mail"]].startswith("h_") for row in shown["rows"])
    as_csv = operator.get("/api/v1/models/kunder/rows", headers={"Accept": "text/csv"})
    assert (as_csv.status_code, as_csv.json()["code"]) == (409, "refused")
    assert client(atlas, "viewer").get("/api/v1/models/kunder/rows").status_code == 403
    with atlas.home.database.read() as db:
        rows = audit.entries(db, who=None, action="rows.read", about=None, since=None, before=None, limit=10)
        assert ("operator", "dataset kunder") in {(row.who, row.about) for row in rows}


def test_a_model_is_run_once_for_one_key_and_that_is_kept(atlas: Embedded) -> None:
    operator, asked = client(atlas, "operator"), {"pipeline": "omsaetning_pr_by"}
    first, second = (
        operator.post("/api/v1/runs", json=asked, headers={"Idempotency-Key": "again"}).json() for _ in range(2)
    )
    assert first["run"] == second["run"]
    assert (first["rebuild"], [layer["layer"] for layer in first["layers"]]) == (True, ["navigate"])
    assert client(atlas, "viewer").post("/api/v1/runs", json=asked).status_code == 403
    assert client(atlas, "dpo").post("/api/v1/runs", json=asked).status_code == 403
    assert client(atlas, "operator", datasets=["kunder"]).post("/api/v1/runs", json=asked).status_code == 403
    with atlas.home.database.read() as db:
        about = f"run {first['run']}"
        rows = audit.entries(db, who=None, action=None, about=about, since=None, before=None, limit=10)
        assert [(row.who, row.action) for row in rows if row.result == "done"] == [("operator", "run.start")]


def test_a_run_of_a_model_says_nothing_of_the_datasets(atlas: Embedded) -> None:
    """It is the last run of no pipeline, changes no score, and closes no alert but its own."""
    person = Person(atlas, "operator")
    before = [person.says(said).facts for said in ("pipelines", "quality kunder")]
    number = person.says("run omsaetning_pr_by").facts["run"]
    assert [person.says(said).facts for said in ("pipelines", "quality kunder")] == before
    assert person.says(f"retry {number}").text.startswith(f"Run `#{number}` succeeded: there is nothing to retry.")
    assert [a["title"] for a in person.says("alerts").facts["items"]] == ["forkert could not be built"]


def test_a_column_with_a_few_personal_values_is_not_told_as_kept() -> None:
    column = {"personal": ["EMAIL"], "action": None, "scope": None, "reached_by": []}
    assert _personal(column) == "single values masked: e-mail addresses"
    assert _personal({**column, "action": "keep", "scope": "column"}) == "e-mail addresses, kept by decision"
    assert _personal({**column, "action": "redact", "scope": "spans"}) == "e-mail addresses, redacted where found"
