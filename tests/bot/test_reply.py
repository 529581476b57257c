"""How an answer is put into words, drawn as text and JSON, and how its files are written."""

import json
import stat
from datetime import UTC, datetime
from inspect import Parameter, signature
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import drawing
from bot.reply import Action, Attachment, Reply, Step, Table, misread
from bot.skill import skill
from bot.words import change, clean, listing, many, one_line, percent, took, when

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2026-03-02T05:00:00Z", "today 06:00"),
        ("2026-03-01T23:30:00Z", "today 00:30"),
        ("2026-03-01T05:00:00.123Z", "yesterday 06:00"),
        ("2026-02-27T05:00:00Z", "Friday 06:00"),
        ("2026-02-23T05:00:00Z", "23 February 06:00"),
        ("2025-03-02T05:00:00Z", "2 March 2025 06:00"),
        ("2026-03-03T05:00:00Z", "tomorrow 06:00"),
        ("2026-07-01T04:00:00Z", "1 July 06:00"),
        (None, "never"),
    ],
)
def test_a_time_is_told_in_the_zone_of_the_person(moment: str | None, told: str) -> None:
    assert when(moment, COPENHAGEN, NOW) == told


def test_numbers_stand_with_their_units() -> None:
    assert many(1, "row") == "1 row"
    assert many(10214, "row") == "10,214 rows"
    assert percent(918, 10214) == "9.0 %"
    assert percent(1, 1_000_000) == "less than 0.1 %"
    assert percent(999_999, 1_000_000) == "more than 99.9 %"
    assert percent(0, 0) == "–"
    assert change("94.1", "96.4") == "2.3 down"
    assert change("100.0", "90.0") == "10.0 up"
    assert change("94.1", "94.1") == "unchanged"
    assert change(None, "94.1") == ""
    assert took("2.4") == "2.4 s"
    assert took(200) == "3 min 20 s"
    assert took(7500) == "2 h 5 min"
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert listing("abcdefghij", most=3) == "a, b, c and 7 more"


@given(st.text())
def test_nothing_unprintable_reaches_the_eye(text: str) -> None:
    assert clean(text).replace("\n", "").isprintable()
    assert one_line(text).isprintable()
    drawn = drawing.full(Reply(text, title=text, table=Table([text], [[text]]), next=[text], holds="counts"))
    assert drawn.replace("\n", "").isprintable()


def test_escape_sequences_and_hidden_characters_are_written_out() -> None:
    assert clean("\x1b[31mred\x07") == "\\x1b[31mred\\x07"
    assert clean("a\u202eb\u200bc") == "a\\u202eb\\u200bc"
    assert clean("æøå 日本 é\n") == "æøå 日本 é\n"


def test_a_table_has_numbers_to_the_right_and_wide_letters_in_line() -> None:
    drawn = drawing.table(Table(["country", "revenue", "n"], [["Danmark", "1,234.50", 3], ["日本", "9.00", None]]))
    assert drawn.splitlines() == ["country   revenue  n", "Danmark  1,234.50  3", "日本         9.00  –"]


def test_an_answer_is_drawn_as_the_voice_has_it() -> None:
    reply = Reply(
        "Done in 2.4 s.",
        title="Run #12 of customers",
        steps=[Step("Explore", "10,214 rows from 3 files", "done"), Step("Navigate", "4 tables", "done")],
        next=["why customers", "dead customers"],
        holds="counts",
    )
    assert drawing.full(reply) == (
        "Run #12 of customers\n  Explore    10,214 rows from 3 files\n  Navigate   4 tables\n"
        "Done in 2.4 s.\nNext: why customers · dead customers"
    )


def test_a_suggestion_stands_beside_the_mistake() -> None:
    text = "There is no command `qualty`. Did you mean `quality customers`?"
    reply = misread(text, "quality customers")
    assert drawing.full(reply).endswith("Did you mean quality customers?  [quality customers]")


def test_whoever_makes_an_answer_says_what_it_holds() -> None:
    """Without a word it was counts, and values of rejected rows were shown in channels."""
    for make in (Reply, skill):
        assert signature(make).parameters["holds"].default is Parameter.empty
    assert misread("x").holds == "subjects"  # it may repeat what was typed, which may be anything


def test_the_exit_code_says_done_refused_or_not_understood() -> None:
    assert Reply("x", holds="counts").exit_code == 0
    assert Reply("x", ok=False, holds="counts").exit_code == 1
    assert misread("x").exit_code == 2


def test_json_has_the_promised_keys(tmp_path: Path) -> None:
    reply = Reply("Two rows.", table=Table(["n"], [[1]]), facts={"rows": [[1]]}, next=[Action("cancel 12", "cancel")],
                  attachments=[Attachment("image", "Quality", b"png", "quality.png")], holds="counts")  # fmt: skip
    told = drawing.as_json(reply, [drawing.save(a, tmp_path) for a in reply.attachments])
    assert json.loads(json.dumps(told)) == {
        "ok": True,
        "text": "Two rows.\nn\n1",
        "facts": {"rows": [[1]]},
        "attachments": [{"kind": "image", "title": "Quality", "path": str(tmp_path / "quality.png")}],
        "actions": [{"label": "cancel", "command": "cancel 12"}],
    }


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..", "", ".hidden", "a\x00b", "æ ø.png", "x" * 500, "\U00010348" * 500]
)
def test_a_file_is_written_inside_the_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = drawing.save(Attachment("file", "x", b"content", name), tmp_path / "reports")
    assert path.parent == tmp_path / "reports"
    assert path.read_bytes() == b"content"
    assert not path.name.startswith(".")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_danish_letters_stay_in_the_name_of_a_file(tmp_path: Path) -> None:
    path = drawing.save(Attachment("image", "x", b"png", "lineage-medlemmer.Bemærkning på blå\u202egnp.png"), tmp_path)
    assert path.name == "lineage-medlemmer.Bemærkning-på-blå-gnp.png"


def test_a_file_never_replaces_another(tmp_path: Path) -> None:
    paths = [drawing.save(Attachment("pdf", "x", bytes([n]), "report.pdf"), tmp_path) for n in range(3)]
    assert [path.name for path in paths] == ["report.pdf", "report-2.pdf", "report-3.pdf"]
    assert [path.read_bytes() for path in paths] == [b"\x00", b"\x01", b"\x02"]


def test_actions_are_offered_once() -> None:
    assert [a.command for a in Reply(next=["status", "status", "runs"], holds="counts").actions] == ["status", "runs"]
