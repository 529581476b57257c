"""Types over incremental runs: a mistake among new rows changes no type, and what is published stays as it is."""

import polars as pl
import pytest

from tests.test_incremental import Club, club, equals_a_full_one  # noqa: F401  # a fixture

pytestmark = pytest.mark.services
MORE = """
INSERT INTO members SELECT n, 'person' || n || '@firma.dk', to_char(date '2025-01-01' + n, 'DD-MM-YYYY'), n * 1.5,
    timestamptz '2026-01-01 12:00+00' + n * interval '1 minute' FROM generate_series(101, 400) n
"""


def filled(club: Club) -> None:  # noqa: F811
    """300 members whose `country` is a day, as people write it."""
    club.db.execute("DELETE FROM members")
    club.db.execute(MORE)
    assert club.good(full=True)["warnings"] == []
    assert club.rows()["country"].dtype == pl.Date


def test_a_mistake_among_new_rows_is_rejected_and_the_type_stays(club: Club) -> None:  # noqa: F811
    filled(club)
    club.db.execute("INSERT INTO members VALUES (500, 'a@b.dk', '31-02-2026', 1, '2026-02-01')")
    club.db.execute("INSERT INTO members VALUES (501, 'b@b.dk', '03-02-2026', 1, '2026-02-02')")
    answer = club.good()
    assert answer["rows_rejected"] == 1
    (said,) = answer["warnings"]
    assert said.endswith(" values is not a date; its row is rejected: dead members")
    assert club.rows()["country"].dtype == pl.Date
    assert 500 not in club.rows()["id"]
    club.db.execute("INSERT INTO members VALUES (502, 'c@b.dk', '04-02-2026', 1, '2026-02-03')")
    club.db.execute("UPDATE members SET country = '28-02-2026', updated_at = '2026-02-04' WHERE id = 500")
    assert club.good()["rows_rejected"] == 0
    assert club.rows().filter(pl.col("id") > 499)["country"].cast(pl.String).to_list() == [
        "2026-02-28", "2026-02-03", "2026-02-04",
    ]  # fmt: skip
    equals_a_full_one(club)


def test_new_rows_that_mostly_do_not_fit_stop_the_run(club: Club) -> None:  # noqa: F811
    filled(club)
    club.db.execute("INSERT INTO members SELECT n, 'a@b.dk', 'soon', 1, '2026-02-01' FROM generate_series(500, 520) n")
    answer = club.run()
    assert answer["state"] == "failed"
    assert (
        "`country` of `members` was published as date, and too many of its values are not dates now"
        in answer["error"]["message"]
    )


def test_longer_numbers_widen_what_is_published(club: Club) -> None:  # noqa: F811
    filled(club)
    club.db.execute(
        "INSERT INTO members VALUES (500, 'a@b.dk', '01-02-2026', 12345678901234567890.123456789, '2026-02-01')"
    )
    club.good()
    assert club.rows()["paid"].dtype == pl.Decimal(38, 9)
    equals_a_full_one(club)


def test_a_text_that_is_declared_a_date_needs_its_older_rows_again(club: Club) -> None:  # noqa: F811
    filled(club)
    club.pipeline("columns: {country: text}")
    answer = club.run()
    assert answer["error"]["message"] == (
        "`country` of `members` is published as date, and `members.yml` declares text."
    )
    assert answer["error"]["hint"] == "To read its older rows again: run members --full"
    assert club.good(full=True)["state"] == "succeeded"
    assert club.rows()["country"].dtype == pl.String
