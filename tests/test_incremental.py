"""Incremental runs over a real PostgreSQL: what a run leaves is what reading everything anew would leave."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from engine.store import datasets, privacy, runs
from tests.whole import Whole

pytestmark = pytest.mark.services
TABLE = """
CREATE TABLE members (
    id int PRIMARY KEY, email text, country text, paid numeric, updated_at timestamptz NOT NULL DEFAULT now())
"""
FILL = """
INSERT INTO members SELECT n, 'person' || n || '@firma.dk', CASE n % 3 WHEN 0 THEN 'Denmark' ELSE 'Sweden' END, n,
    timestamptz '2026-01-01 12:00+00' + n * interval '1 day' FROM generate_series(1, 60) n
"""
PIPELINE = """name: members
owner: club
key: [{key}]
source: {{connector: postgres, dsn: "${{secret:CRM_DSN}}", table: public.members, cursor: updated_at}}
{more}
"""


class Club:
    """An installation of Atlas with a pipeline over a table of members that it reads by a cursor."""

    def __init__(self, folder: Path, dsn: str, db: psycopg.Connection[Any]) -> None:
        self.db, self.folder = db, folder
        db.execute("DROP TABLE IF EXISTS members CASCADE")
        db.execute(TABLE)
        db.execute(FILL)
        self.pipeline()
        self.whole = Whole(folder, ATLAS_SECRET_CRM_DSN=dsn)
        self.atlas, self.home = self.whole.atlas, self.whole.atlas.home

    def pipeline(self, more: str = "", key: str = "id") -> None:
        (self.folder / "members.yml").write_text(PIPELINE.format(more=more, key=key), encoding="utf-8")

    def run(self, full: bool = False) -> dict[str, Any]:
        return self.whole.run("members", full)

    def replay(self) -> dict[str, Any]:
        return self.whole.started("datasets/members/replay")

    def good(self, **how: Any) -> dict[str, Any]:
        answer = self.run(**how)
        assert answer["state"] == "succeeded", answer["error"]
        return answer

    def files(self) -> list[str]:
        with self.home.database.read() as db:
            _, version = datasets.get(db, "members")
            return [path for path, _ in datasets.files(db, version.id)]

    def rows(self) -> pl.DataFrame:
        """What is published, by key; the version and its files agree on how many rows that is."""
        with self.home.database.read() as db:
            _, version = datasets.get(db, "members")
            files = datasets.files(db, version.id)
        found = pl.concat([pl.read_parquet(path) for path, _ in files])
        assert version.rows == len(found) == sum(rows for _, rows in files)
        return found.sort(found.columns)


@pytest.fixture
def club(tmp_path: Path, dsn: str) -> Iterator[Club]:
    with psycopg.connect(dsn, autocommit=True) as db:
        made = Club(tmp_path, dsn, db)
        yield made
        made.whole.close()


def equals_a_full_one(club: Club) -> None:
    """What is published is what a full run publishes."""
    found = club.rows()
    club.good(full=True)
    assert found.equals(club.rows())


def test_changed_and_late_rows_are_merged_and_a_second_run_changes_nothing(club: Club) -> None:
    first = club.good()
    assert (first["rows_in"], first["version"]) == (60, 1)
    before = club.files()
    again = club.good()
    assert (again["rows_in"], again["rows_out"], again["version"]) == (1, 1, 2)  # the newest row, once more
    assert club.files() == before
    club.db.execute("UPDATE members SET paid = 999, updated_at = '2026-03-05' WHERE id IN (3, 60)")
    club.db.execute("INSERT INTO members VALUES (61, 'late@firma.dk', 'Norway', 7, '2026-03-02 11:55+00')")
    third = club.good()
    assert third["rows_in"] == third["rows_out"] == 3
    rows = club.rows()
    assert len(rows) == 61
    assert rows.filter(pl.col("paid") == 999)["id"].to_list() == [3, 60]
    assert 61 in rows["id"]
    files = club.files()
    club.good()
    assert club.files() == files
    equals_a_full_one(club)


def test_only_files_with_changed_rows_are_written_anew(club: Club) -> None:
    club.good()
    (oldest,) = club.files()
    club.db.execute(
        "INSERT INTO members SELECT n, 'a@b.dk', 'Norway', n, '2026-03-03' FROM generate_series(100, 199) n"
    )
    club.good()
    assert club.files()[0] == oldest
    club.db.execute("UPDATE members SET paid = 0, updated_at = '2026-03-04' WHERE id = 150")
    club.good()
    assert club.files()[0] == oldest
    assert len(club.rows()) == 160
    equals_a_full_one(club)


def test_a_row_that_is_rejected_after_it_changed_leaves_and_replay_brings_it_back(club: Club) -> None:
    rule = "quality: {{validity: [{{column: country, values: [{}]}}], reject_rows: [validity]}}"
    club.pipeline(rule.format("Denmark, Sweden"))
    club.good()
    club.db.execute("UPDATE members SET country = 'Norway', updated_at = '2026-03-05' WHERE id IN (5, 6)")
    club.db.execute("INSERT INTO members VALUES (61, 'new@firma.dk', 'Norway', 7, '2026-03-06')")
    answer = club.good()
    assert (answer["rows_in"], answer["rows_out"], answer["rows_rejected"]) == (4, 1, 3)
    assert club.rows()["id"].to_list() == [n for n in range(1, 61) if n not in (5, 6)]
    club.good()
    club.pipeline(rule.format("Denmark, Sweden, Norway"))
    replayed = club.replay()
    assert replayed["state"] == "succeeded", replayed["error"]
    assert (replayed["rows_in"], replayed["rows_rejected"]) == (61, 0)
    once = club.rows()
    assert len(once) == 61
    club.replay()
    assert club.rows().equals(once)
    equals_a_full_one(club)


def test_replay_without_the_oldest_raw_rows_is_merged_with_what_is_published(club: Club) -> None:
    rule = "quality: {{validity: [{{column: country, values: [{}]}}], reject_rows: [validity]}}"
    club.pipeline(rule.format("Denmark, Sweden"))
    first = club.good()
    club.db.execute("UPDATE members SET country = 'Norway', paid = 1, updated_at = '2026-03-05' WHERE id = 5")
    club.good()
    for path in (club.home.settings.raw_zone / "members" / f"run-{first['run']}").glob("*.parquet"):
        path.unlink()
    club.pipeline(rule.format("Denmark, Sweden, Norway"))
    replayed = club.replay()
    assert replayed["state"] == "succeeded", replayed["error"]
    assert len(club.rows()) == 60
    equals_a_full_one(club)


def test_the_cursor_moves_only_with_what_is_published(club: Club) -> None:
    club.good()
    club.pipeline("quality: {completeness: [country], minimum_score: 100}")
    club.db.execute("UPDATE members SET country = NULL, updated_at = '2026-03-05' WHERE id = 5")
    assert club.run()["state"] == "refused"
    club.db.execute("UPDATE members SET country = 'Norway' WHERE id = 5")
    club.db.execute("UPDATE members SET paid = 1, updated_at = '2026-03-09' WHERE id = 7")
    answer = club.good()
    assert answer["rows_in"] == 3
    equals_a_full_one(club)


def test_a_time_in_the_future_hides_no_later_row(club: Club) -> None:
    club.db.execute("UPDATE members SET updated_at = '2126-01-01' WHERE id = 1")
    club.good()
    club.db.execute("INSERT INTO members VALUES (61, 'new@firma.dk', 'Norway', 7, '2026-03-06')")
    answer = club.good()
    assert answer["rows_in"] == 3
    assert 61 in club.rows()["id"]


def test_a_personal_key_is_merged_by_its_hash(club: Club) -> None:
    club.pipeline(key="email")
    club.good()
    club.db.execute("UPDATE members SET paid = 999, updated_at = '2026-03-05' WHERE id IN (3, 4)")
    club.good()
    rows = club.rows()
    assert len(rows) == 60
    assert rows["email"].str.starts_with("h_").all()
    equals_a_full_one(club)


def test_a_row_without_its_key_is_rejected(club: Club) -> None:
    club.pipeline(key="country")
    club.db.execute("ALTER TABLE members ALTER country DROP NOT NULL")
    club.db.execute("UPDATE members SET country = 'X' || id")
    club.db.execute("UPDATE members SET country = NULL WHERE id = 9")
    answer = club.good()
    assert answer["rows_rejected"] == 1
    with club.home.database.read() as db:
        assert [group.cause for group in privacy.dead_letters(db, answer["run"])] == ["country is empty"]


def test_few_new_rows_are_masked_as_all_rows_are(club: Club) -> None:
    club.good()
    club.db.execute("INSERT INTO members VALUES (61, 'not an address', 'Norway', 7, '2026-03-06')")
    club.good()
    assert club.rows()["email"].str.starts_with("h_").all()


def test_older_rows_are_masked_too_when_a_column_turns_out_personal(club: Club) -> None:
    club.db.execute("UPDATE members SET country = 'X' || id")
    club.good()
    assert "X5" in club.rows()["country"]
    club.pipeline("privacy: {columns: {country: redact}}")
    club.db.execute("UPDATE members SET updated_at = '2026-03-06' WHERE id = 9")
    answer = club.good()
    assert answer["rows_in"] == 2
    assert not club.rows()["country"].str.starts_with("X").any()
    equals_a_full_one(club)


def test_what_was_masked_stays_so_until_everything_is_read(club: Club) -> None:
    club.pipeline("privacy: {columns: {country: redact}}")
    club.good()
    club.pipeline("privacy: {columns: {country: keep}}")
    club.db.execute("UPDATE members SET updated_at = '2026-03-06' WHERE id = 9")
    answer = club.good()
    assert any("country stays masked" in told for told in answer["warnings"])
    assert club.rows()["country"].n_unique() == 1
    club.good(full=True)
    assert set(club.rows()["country"]) == {"Denmark", "Sweden"}


def test_a_new_column_and_a_wider_one_reach_the_older_rows(club: Club) -> None:
    club.good()
    club.db.execute("ALTER TABLE members ADD COLUMN phone text")
    club.db.execute("UPDATE members SET paid = 1.5, phone = '+45 20 12 34 56', updated_at = '2026-03-06' WHERE id = 9")
    club.good()
    rows = club.rows()
    assert rows.schema["paid"] == pl.Decimal(18, 1)
    assert rows["phone"].null_count() == 59
    equals_a_full_one(club)


def test_a_column_that_is_dropped_or_changes_its_kind_stops_the_run(club: Club) -> None:
    club.good()
    kept = club.rows()
    club.db.execute("ALTER TABLE members ALTER paid TYPE text")
    club.db.execute("UPDATE members SET paid = 'much', updated_at = '2026-03-06' WHERE id = 9")
    answer = club.run()
    assert answer["state"] == "failed"
    assert "`paid` of `members` was published as integer" in answer["error"]["message"]
    assert answer["error"]["hint"].endswith("run members --full")
    club.db.execute("ALTER TABLE members DROP COLUMN paid")
    answer = club.run()
    assert "no longer has `paid`" in answer["error"]["message"]
    assert club.rows().equals(kept)
    club.good(full=True)
    assert "paid" not in club.rows().columns


def test_a_run_without_new_rows_keeps_score_and_rows(club: Club) -> None:
    club.pipeline("quality: {completeness: [country], minimum_score: 90}")
    club.db.execute("DELETE FROM members WHERE id < 60")
    first = club.good()
    club.db.execute("DELETE FROM members")
    answer = club.good()
    assert (answer["rows_in"], answer["score"]) == (0, first["score"])
    assert len(club.rows()) == 1


def test_another_source_or_key_is_read_from_its_beginning(club: Club) -> None:
    club.good()
    club.pipeline(key="email")
    assert club.good()["rows_in"] == 60


def test_a_ruling_on_merged_rows_masks_all_of_them_and_the_next_run_goes_on(club: Club) -> None:
    club.good()
    club.db.execute("UPDATE members SET paid = 999, updated_at = '2026-03-05' WHERE id IN (3, 4)")
    club.good()

    async def rule() -> int:
        async with club.atlas.client() as http:
            body = {"column": "country", "type": "PERSON", "because": "they are names"}
            answer = (await http.post("/api/v1/datasets/members/pii/rulings", json=body)).json()
            return int(answer["run"]["run"])

    number = asyncio.run(rule())
    with club.home.database.read() as db:
        state = runs.get(db, number).state
    while state in runs.ACTIVE:
        with club.home.database.read() as db:
            state = runs.get(db, number).state
    assert state == "succeeded"
    club.db.execute("UPDATE members SET paid = 5, updated_at = '2026-03-07' WHERE id = 8")
    assert club.good()["rows_in"] == 3
    assert not club.rows()["country"].is_in(["Denmark", "Sweden"]).any()
    equals_a_full_one(club)


def test_a_text_cannot_be_a_cursor(club: Club) -> None:
    text = (club.folder / "members.yml").read_text().replace("updated_at", "country")
    (club.folder / "members.yml").write_text(text)
    answer = club.run()
    assert answer["state"] == "failed"
    assert "which cannot be a cursor" in answer["error"]["message"]


@pytest.mark.parametrize(("kind", "values"), [
    ("bigint", ["1352171357891584011", "999999999999999999", "1352171357891584012"]),
    ("timestamptz", ["2026-01-01", "infinity", "-infinity", "2026-01-02"]),
])  # fmt: skip
def test_a_cursor_may_be_longer_than_any_number_and_infinite(club: Club, kind: str, values: list[str]) -> None:
    club.db.execute(f"ALTER TABLE members DROP updated_at, ADD updated_at {kind}; TRUNCATE members")
    for number, value in enumerate(values):
        club.db.execute("INSERT INTO members VALUES (%s, NULL, 'Norway', 1, %s)", [number, value])
    assert club.good()["rows_in"] == len(values)
    newer = "1352171357891584013" if kind == "bigint" else "2026-01-03"
    club.db.execute("INSERT INTO members VALUES (99, NULL, 'Norway', 1, %s)", [newer])
    club.db.execute("UPDATE members SET paid = 2 WHERE updated_at::text LIKE '%infinity'")
    assert club.good()["rows_in"] < len(values) + 1
    assert len(club.rows()) == len(values) + 1
    equals_a_full_one(club)
