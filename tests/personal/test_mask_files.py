"""`atlas mask`: the same rows in the same order, masked, and what was found."""

import csv
import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from core.errors import BadInput, SourceUnreadable
from engine.personal.mask_files import mask_files

KEY = b"k"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_encoding_header_and_order_stay(tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = [["nr", "navn", "e-mail", "beløb"]]
    rows += [[f"00{i}", "Bodil Quist", f"b{i}@example.dk", f"{i}.00"] for i in range(40)]
    source = tmp_path / "kunder.csv"
    with source.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    found = mask_files([source], tmp_path / "out", KEY)
    with (tmp_path / "out" / "kunder.csv").open(encoding=encoding, newline="") as file:
        masked = list(csv.reader(file, delimiter=delimiter))
    assert masked[0] == rows[0]
    assert [[r[0], r[3]] for r in masked] == [[r[0], r[3]] for r in rows]
    assert not {r[2] for r in masked[1:]} & {r[2] for r in rows[1:]}
    assert found["kunder.csv"]["e-mail"]["types"] == ["EMAIL"]
    assert (found["kunder.csv"]["e-mail"]["rows"], found["kunder.csv"]["e-mail"]["masked"]) == (40, 40)


def test_a_file_is_read_as_a_run_reads_it_and_what_was_assumed_is_said(tmp_path: Path) -> None:
    rows = "".join(f"{n};Ida Holm;20 12 34 {n};12,50\n" for n in range(10, 40))
    text = f"Løn til Bo Lund\n\nnr;navn;tlf;beløb\n{rows}I alt;;;375,00\n"
    (tmp_path / "løn.csv").write_bytes(text.encode("cp865"))
    said: list[tuple[str, str]] = []
    left: list[int] = []
    mask_files([tmp_path / "løn.csv"], tmp_path / "out", KEY, lambda _, bad: left.extend(bad.lines), None,
               lambda name, what: said.append((name, what)))  # fmt: skip
    masked = (tmp_path / "out" / "løn.csv").read_text("cp865").splitlines()
    assert (masked[0], len(masked), left) == ("nr;navn;tlf;beløb", 31, [34])
    assert not any("Bo Lund" in line or "Ida" in line for line in masked)
    assert [(name, what.split(";")[0]) for name, what in said] == [
        ("løn.csv", "its letters were taken for code page 850 (DOS)"),
        ("løn.csv", "lines 1 to 2 were left out as a title, and line 3 taken for the header"),
    ]


def test_jsonl_keeps_everything_but_the_personal_words(tmp_path: Path) -> None:
    source = tmp_path / "t.jsonl"
    source.write_text('{"id": 7, "text": "Mvh Bodil Quist, bodil@example.dk", "ok": true}\n{"id": 8, "text": null}\n')
    found = mask_files([source], tmp_path / "out", KEY)
    lines = [json.loads(line) for line in (tmp_path / "out" / "t.jsonl").read_text().splitlines()]
    assert lines == [{"id": 7, "text": "Mvh [PERSON], [EMAIL]", "ok": True}, {"id": 8, "text": None}]
    assert set(found["t.jsonl"]["text"]["types"]) == {"PERSON", "EMAIL"}


def test_lines_that_a_run_rejects_are_left_out_and_told(tmp_path: Path) -> None:
    lines = [
        '{"text": "a", "n": 1.10}',
        "no json",
        "[1]",
        '{"a": 1, "a": 2}',
        '{"text": "b", "n": 12345678901.4567890}',
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    left: list[int] = []
    mask_files([tmp_path / "t.jsonl"], tmp_path / "out", KEY, lambda _, bad: left.extend(bad.lines))
    assert left == [2, 3, 4]
    assert (tmp_path / "out" / "t.jsonl").read_text().splitlines() == [lines[0], lines[4]]


def test_a_file_without_a_record_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("no json\n")
    with pytest.raises(SourceUnreadable, match="no line that is a JSON object"):
        mask_files([tmp_path / "t.jsonl"], tmp_path / "out", KEY)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_is_never_written_over_itself(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="overwritten"):
        mask_files([tmp_path / "a.csv"], tmp_path, KEY)


@pytest.mark.parametrize("name", ["_order", "_hash", "n", "_lines", "_line"])
def test_a_column_may_have_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text(f"id,{name}\n" + "".join(f"{n},ida{n}@mail.example\n" for n in range(30)))
    mask_files([tmp_path / "a.csv"], tmp_path / "out", KEY)
    masked = (tmp_path / "out" / "a.csv").read_text()
    assert (masked.count("\n"), masked.count("@")) == (31, 0)


def jsonl(folder: Path, records: list[dict[str, object]]) -> tuple[str, dict[str, object]]:
    (folder / "t.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    found = mask_files([folder / "t.jsonl"], folder / "out", KEY)["t.jsonl"]
    return (folder / "out" / "t.jsonl").read_text(), found


@pytest.mark.parametrize("times", [1, 40])
def test_what_stands_deeper_in_a_record_is_masked_too(tmp_path: Path, times: int) -> None:
    record = {
        "text": "hej",
        "cpr": 101901234,
        "_line": "una@mail.example",
        "kunde": {"email": "ida@mail.example", "navn": "Ida Holm", "by": None, "kort": 4111111111111111},
        "mails": ["bo@mail.example", {"note": "Mvh Bodil Quist", "card": "4111 1111 1111 1111"}],
        "dybt": [[["egon@mail.example"]]],
    }
    out, found = jsonl(tmp_path, [record] * times)
    assert not any(w in out for w in ("@", "101901234", "Ida", "Holm", "Bodil", "Quist", "4111"))
    assert json.loads(out.splitlines()[0])["text"] == "hej"
    assert found["kunde.email"]["masked"] == found["kunde.email"]["rows"] == times  # type: ignore[index]


def test_what_is_not_personal_in_a_record_stays_equal(tmp_path: Path) -> None:
    record = {"id": 7, "text": "hej", "ok": True, "x": {"n": [1, 2.5, -3, 12345678901234567890], "e": [], "z": None}}
    out, _ = jsonl(tmp_path, [record, {"text": None}, {"text": "a", "other": {"k": "v"}}])
    assert json.loads(out.splitlines()[0]) == record
    assert json.loads(out.splitlines()[2]) == {"text": "a", "other": {"k": "v"}}


def test_personal_names_of_fields_are_refused_without_being_told(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=r"Line 2 of `t\.jsonl` has an address") as refused:
        jsonl(tmp_path, [{"text": "a"}, {"text": "a", "by": [{"ida@mail.example": 1}]}])
    assert "ida" not in f"{refused.value.message} {refused.value.hint}"


def test_records_far_apart_may_have_other_fields(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [{"text": "a"}] * 20_001
    out, _ = jsonl(tmp_path, [*records, {"text": "b", "late": "ida@mail.example"}])
    assert json.loads(out.splitlines()[-1])["late"] != "ida@mail.example"


def test_a_workbook_is_masked_as_a_run_reads_it_and_written_as_csv(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "kunder.xlsx")) as book:
        sheet = book.add_worksheet("Kunder")
        book.add_worksheet("Andet").write_row(0, 0, ["a", "b"])
        sheet.write_row(0, 0, ["Udtræk til Bo Lund"])
        sheet.write_row(2, 0, ["nr", "navn", "mail", "beløb"])
        for n in range(40):
            sheet.write_row(n + 3, 0, [n, "Ida Holm", f"ida{n}@mail.example", 12.5])
        sheet.write_row(43, 0, ["I alt", None, None, 500])
    said: list[str] = []
    left: list[int] = []
    found = mask_files([tmp_path / "kunder.xlsx"], tmp_path / "out", KEY, lambda _, bad: left.extend(bad.lines), None,
                       lambda _, what: said.append(what))  # fmt: skip
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["kunder.xlsx.csv"]
    text = (tmp_path / "out" / "kunder.xlsx.csv").read_text(encoding="utf-8-sig")
    masked = pl.read_csv(text.encode())
    assert (masked.columns, len(masked), left) == (["nr", "navn", "mail", "beløb"], 40, [44])
    assert masked["beløb"].unique().to_list() == [12.5]
    assert not any(word in text for word in ("@", "Ida", "Bo Lund"))
    assert set(found["kunder.xlsx"]) == {"navn", "mail"}
    assert said[-1] == "a masked workbook is written as CSV: `kunder.xlsx.csv`"
    assert any("rows 1 to 2 were left out as a title" in what for what in said)
    assert any("the sheet `Kunder` was read" in what for what in said)


def test_a_parquet_file_keeps_the_types_of_what_was_not_masked(tmp_path: Path) -> None:
    table = pa.table({
        "id": pa.array(range(40), pa.int32()),
        "mail": [f"ida{n}@mail.example" for n in range(40)],
        "paid": [Decimal("1.10")] * 39 + [None],
        "at": pa.array([dt.datetime(2026, 3, 1, 11, tzinfo=dt.UTC)] * 40, pa.timestamp("ms", "Europe/Copenhagen")),
        "day": [dt.date(2026, 3, 1)] * 40, "ok": [True] * 40, "share": [0.25] * 40, "list": [[1, 2]] * 40,
    })  # fmt: skip
    pq.write_table(table, tmp_path / "p.parquet")
    said: list[str] = []
    found = mask_files([tmp_path / "p.parquet"], tmp_path / "out", KEY, None, None, lambda _, what: said.append(what))
    assert said == ["written as text, because its type cannot hold masked values or is nested: `list`"]
    masked = pq.read_table(tmp_path / "out" / "p.parquet")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["p.parquet"]
    assert masked.column_names == table.column_names
    same = ["id", "paid", "at", "day", "ok", "share"]
    assert masked.select(same).equals(table.select(same))
    assert (masked["list"][0].as_py(), masked["mail"].type) == ("[1,2]", pa.string())
    assert not any("@" in value for value in masked["mail"].to_pylist())
    assert found["p.parquet"]["mail"]["masked"] == 40


def test_two_files_are_never_written_to_the_same_place(tmp_path: Path) -> None:
    for name in ("a.xlsx", "a.xlsx.csv"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="Two files"):
        mask_files([tmp_path / "a.xlsx", tmp_path / "a.xlsx.csv"], tmp_path / "out", KEY)


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx"])
def test_a_broken_file_is_told_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("no such thing")
    with pytest.raises(SourceUnreadable, match=name):
        mask_files([tmp_path / name], tmp_path / "out", KEY)
    assert list((tmp_path / "out").iterdir()) == []
