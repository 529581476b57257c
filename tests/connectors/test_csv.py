"""What is read from CSV files, what is rejected, and what is said when nothing can be read."""

import csv as written
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors import csv
from connectors._rows import LONGEST_ROW, NEVER_CLOSED, TOO_LONG
from core.errors import AtlasError, SourceMissing, SourceUnreadable
from core.models import LINE, MOST_COLUMNS, Rejects, SourcePart
from core.roots import Roots

Rejected = list[tuple[int, str]]


def source_of(path: Path | str, **given: Any) -> csv.Source:
    """A source that may read every file of these tests."""
    return csv.Source.model_validate({"connector": "csv", "path": str(path), **given}, context=Roots((Path("/"),)))


def read(path: Path, **given: Any) -> tuple[list[dict[str, Any]], Rejected]:
    source = source_of(path, **given)
    rows: list[dict[str, Any]] = []
    rejected: Rejected = []
    for part in csv.parts(source, Path("/")):
        for batch in csv.read(source, part):
            if isinstance(batch, Rejects):
                rejected += zip(batch.lines, batch.reasons, strict=True)
            elif isinstance(batch, pa.RecordBatch):
                batch.validate(full=True)
                rows += batch.to_pylist()
    return rows, rejected


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(content: str | bytes, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def values(rows: list[dict[str, Any]]) -> list[list[str | None]]:
    return [[value for name, value in row.items() if name != LINE] for row in rows]


def test_every_column_is_text_beside_the_line_it_came_from(file: Any) -> None:
    rows, rejected = read(file('id,name\n1,Anna\n2,"Bo\nEj"\n\n3,NULL\n4,\n5,""\n'))
    assert rows == [
        {"id": "1", "name": "Anna", LINE: 2},
        {"id": "2", "name": "Bo\nEj", LINE: 3},
        {"id": "3", "name": "NULL", LINE: 6},
        {"id": "4", "name": None, LINE: 7},
        {"id": "5", "name": None, LINE: 8},
    ]
    assert rejected == []


def test_a_ragged_line_is_rejected_with_its_number(file: Any) -> None:
    rows, rejected = read(file('a,b,c\n1,2,3\n1,2\n"x\ny",2,3\n1,2,3,4,5\n7\n1,2,3'))
    assert [row[LINE] for row in rows] == [2, 4, 8]
    assert rejected == [
        (3, "has 2 values, the header has 3"),
        (6, "has 5 values, the header has 3"),
        (7, "has 1 value, the header has 3"),
    ]


def test_rejected_rows_are_kept_as_they_stood_in_the_file(file: Any) -> None:
    source = source_of(file('a,b\r\n1,"x\r\ny",3\r\n'))
    found = [b for b in csv.read(source, source.files(Path("/"))[0]) if isinstance(b, Rejects)]
    assert found == [Rejects([2], ["has 3 values, the header has 2"], ['1,"x\r\ny",3'])]


def test_nul_bytes_and_invalid_bytes_cost_their_rows_only(file: Any) -> None:
    rows, rejected = read(file("a,b\n1,ø\n2,".encode() + b"\xff\xfe\n3,x\x00y\n4,\xc3\x28\n5,ok\n"))
    assert values(rows) == [["1", "ø"], ["5", "ok"]]
    assert rejected == [
        (3, "has bytes that are not UTF-8"),
        (4, "has a NUL byte"),
        (5, "has bytes that are not UTF-8"),
    ]


def test_a_quote_in_the_middle_of_a_value_is_a_letter(file: Any) -> None:
    rows, rejected = read(file('id,size\n1,5" pipe\n2,6"\n3,a"b"c\n4,"7"" pipe"\n'))
    assert values(rows) == [["1", '5" pipe'], ["2", '6"'], ["3", 'a"b"c'], ["4", '7" pipe']]
    assert rejected == []


def test_a_quote_never_closed_costs_one_line(file: Any) -> None:
    rows, rejected = read(file('a,b\n1,"open\n2,x\n3,y\n'))
    assert values(rows) == [["2", "x"], ["3", "y"]]
    assert rejected == [(2, "has a quote that is opened and never closed")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "windows-1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_encoding_and_line_ends_are_found_out(file: Any, delimiter: str, encoding: str, end: str) -> None:
    lines = [["kunde", "beløb", "by"], ["Søren Ærø", "2,50", "Århus"], ["Åse; x", "1.000,00", "a|b"]]
    text = end.join(delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in line) for line in lines)
    bom = b"\xfe\xff" if encoding == "utf-16-be" else b""
    rows, rejected = read(file(bom + text.encode(encoding)))
    assert [list(row)[:3] for row in rows[:1]] == [lines[0]]
    assert (values(rows), [row[LINE] for row in rows], rejected) == (lines[1:], [2, 3], [])


def test_utf_16_without_a_mark_is_known_by_its_zeros(file: Any) -> None:
    assert values(read(file("navn;by\nSøren;Ærø\n".encode("utf-16-le")))[0]) == [["Søren", "Ærø"]]


def test_half_a_letter_at_the_end_of_utf_16_is_rejected(file: Any) -> None:
    rows, rejected = read(file(b"\xff\xfe" + "a,b\n1,2\n3,x".encode("utf-16-le") + b"\x00"))
    assert values(rows) == [["1", "2"]]
    assert rejected == [(3, "has bytes that are not UTF-16-LE")]


def test_windows_letters_far_behind_the_beginning_are_found(file: Any) -> None:
    rows, rejected = read(file(b"id,name\n" + b"1,Anna\n" * 400_000 + "2,Søren\n".encode("cp1252")))
    assert (len(rows), rejected) == (400_001, [])
    assert rows[-1]["name"] == "Søren"


def test_a_lone_carriage_return_outside_quotes_costs_its_row(file: Any) -> None:
    rows, rejected = read(file('a,b\r\n1,"x\ry"\r\n2,x\ry\r\n3,z\r\n'))
    assert (values(rows), rejected) == ([["1", "x\ry"], ["3", "z"]], [(3, "has a carriage return outside quotes")])


def test_a_single_column_is_not_cut_at_commas(file: Any) -> None:
    rows, rejected = read(file("comment\nhello, you\nplain\na, b, c\n"))
    assert values(rows) == [["hello, you"], ["plain"], ["a, b, c"]]
    assert rejected == []


def test_excel_may_tell_the_delimiter(file: Any) -> None:
    rows, _ = read(file("sep=;\nid;name\n1;a,b\n"))
    assert rows == [{"id": "1", "name": "a,b", LINE: 3}]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1,Anna,2024-01-01\n2,Bo,2024-01-02\n", ["column_1", "column_2", "column_3"]),
        ("Anna,anna@example.dk\nBo,bo@example.dk\n", ["column_1", "column_2"]),
        ("id,name\n1,Anna\n", ["id", "name"]),
        ("name,country\nAnna,Denmark\nBo,Denmark\n", ["name", "country"]),
        ("Anna,F\nBo,M\nIda,F\nUna,F\n", ["column_1", "column_2"]),
        ("region,2023,2024\nNord,5,6\nSyd,7,8\n", ["region", "2023", "2024"]),
        ("Ida,Lyngvej 1,Byen\nBo,Engvej 2 B,Køge\n", ["column_1", "column_2", "column_3"]),
        ("Ida,ida@mail.example,x\nBo,,3\nUna,,4\n", ["column_1", "column_2", "column_3"]),
        ("Ida,010203-1234,?\nBo,ukendt,3\nUna,ukendt,4\n", ["column_1", "column_2", "column_3"]),
        ("Ida,20 30 40 50,?\nBo,ukendt,3\n", ["column_1", "column_2", "column_3"]),
        ("Ida,3. maj,1980-05-03\n", ["column_1", "column_2", "column_3"]),
        ("adresse 1,adresse 2,tlf 1,q1 2024\nx,y,1,2\n", ["adresse 1", "adresse 2", "tlf 1", "q1 2024"]),
    ],
)
def test_a_header_is_told_from_data(file: Any, text: str, names: list[str]) -> None:
    rows, _ = read(file(text))
    assert list(rows[0]) == [*names, LINE]


def test_what_is_said_of_header_and_delimiter_counts(file: Any) -> None:
    rows, _ = read(file("1;2\n3;4\n"), delimiter=";", header=True)
    assert rows == [{"1": "3", "2": "4", LINE: 2}]
    rows, rejected = read(file("a,b\nc\n"), header=False)
    assert rejected == [(2, "has 1 value, most rows have 2")]


def test_names_that_sql_cannot_hold_are_changed_visibly(file: Any) -> None:
    rows, _ = read(file('id,,"Total\nAmount",_line,"5"" pipe", x \n1,2,3,4,5,6\n'))
    assert list(rows[0]) == ["id", "column_2", "Total Amount", "line", "5' pipe", "x", LINE]


def test_a_header_alone_is_a_table_without_rows(file: Any) -> None:
    source = source_of(file("id,name\n"))
    (batch,) = csv.read(source, source.files(Path("/"))[0])
    assert isinstance(batch, pa.RecordBatch)
    assert (batch.num_rows, batch.schema.names) == (0, ["id", "name", LINE])


@pytest.mark.parametrize("content", [b"", b"\n\r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(file: Any, content: bytes) -> None:
    with pytest.raises(SourceUnreadable, match=r"data.csv` is empty: it has not even a header"):
        read(file(content))


def test_doubled_names_get_a_number_that_no_other_has(file: Any) -> None:
    rows, _ = read(file("id,Comment,comment,Comment_2,Comment\n1,2,3,4,5\n"))
    assert list(rows[0]) == ["id", "Comment", "comment_3", "Comment_2", "Comment_4", LINE]


def test_a_broken_header_is_refused(file: Any) -> None:
    with pytest.raises(SourceUnreadable, match="line 1, has text after a closing quote"):
        read(file('id,"na"me\n1,2\n'))


def test_what_is_no_text_is_refused_by_its_kind(file: Any) -> None:
    with pytest.raises(SourceUnreadable, match="is an Excel or zip file") as refused:
        read(file(b"PK\x03\x04rest", "book.csv"))
    assert refused.value.hint == "Read Excel by `connector: excel`; unpack a zip file first."


def test_a_missing_file_a_folder_and_an_empty_glob_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"There is no file `.*nowhere.csv`"):
        read(tmp_path / "nowhere.csv")
    with pytest.raises(SourceUnreadable, match="is a folder, not a file"):
        read(tmp_path)
    with pytest.raises(SourceMissing, match=r"No file matches `.*\*.csv`"):
        read(tmp_path / "*.csv")


# no file is closed to root: whoever runs the tests as another user runs this one
@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read everything")
def test_a_file_one_may_not_read_is_named(file: Any) -> None:
    path = file("a,b\n")
    path.chmod(0)
    with pytest.raises(SourceUnreadable, match="may not be read by this user"):
        read(path)


def test_a_glob_reads_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text("x,y\n1,2\n")
    (tmp_path / "in" / "folder.csv").mkdir()
    found = list(csv.parts(source_of("in/*.csv"), tmp_path))
    assert [part.name for part in found] == ["in/a.csv", "in/b.csv"]
    assert found[0].spec["path"] == str(tmp_path / "in" / "a.csv")


def test_a_file_named_like_a_glob_is_read(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("x,y\n1,2\n")
    assert [part.name for part in csv.parts(source_of("a[1].csv"), tmp_path)] == ["a[1].csv"]


def test_an_unknown_word_about_a_source_is_refused() -> None:
    with pytest.raises(ValidationError):
        csv.Source(connector="csv", path="a.csv", seperator=";")  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        csv.Source(connector="csv", path="a.csv", delimiter='"')


def test_a_row_longer_than_a_block_is_read(file: Any) -> None:
    long = "x\n" * 2_500_000
    rows, rejected = read(file(f'id,text\n1,"{long}"\n2,short\n'))
    assert (rows[0]["text"], rows[1][LINE], rejected) == (long, 2_500_003, [])


def test_batches_stay_small_however_long_the_file(file: Any) -> None:
    source = source_of(file("id,name\n" + "17,Anna\n" * 400_000))
    before = pa.total_allocated_bytes()
    sizes = []
    for batch in csv.read(source, source.files(Path("/"))[0]):
        sizes.append(batch.num_rows)
        assert pa.total_allocated_bytes() - before < 64 << 20
    assert sum(sizes) == 400_000
    assert max(sizes) < 300_000


def taken(source: csv.Source, parts: Iterable[SourcePart]) -> Any:
    """Columns, rows and rejected rows with their lines, of parts one after the other."""
    columns: set[tuple[str, ...]] = set()
    rows: list[dict[str, Any]] = []
    rejected = []
    for part in parts:
        for batch in csv.read(source, SourcePart(part.name, json.loads(json.dumps(part.spec)))):
            if isinstance(batch, Rejects):
                rejected += zip(batch.lines, batch.reasons, batch.raw, strict=True)
            elif isinstance(batch, pa.RecordBatch):
                columns.add(tuple(batch.schema.names))
                rows += batch.to_pylist()
    return columns, rows, rejected


pieces = st.sampled_from(
    [
        '"',
        '""',
        ",",
        "\n",
        "\r",
        "\r\n",
        "a",
        "æ",
        '"a"',
        ',"',
        '",',
        '"\n',
        '"x\ny"',
        "1,2\n",
        '3,"four"\r\n',
        "\0",
        "",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    text=st.lists(pieces, max_size=40).map("".join),
    rows=st.integers(1, 7),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "windows-1252", "iso-8859-1", "utf-16"]),
    start=st.sampled_from(["id,name\n", "sep=,\nid,name\n", "\n\nid,name\r", "5,6\n"]),
    told=st.booleans(),
)
def test_a_file_cut_anywhere_reads_as_it_does_whole(
    tmp_path_factory: Any, text: str, rows: int, encoding: str, start: str, told: bool
) -> None:
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    path.write_bytes((start + text).encode(encoding))
    source = source_of(path, **({"header": True, "delimiter": ","} if told else {}))
    (whole,) = source.files(path.parent)
    try:
        expected = taken(source, [whole])
    except AtlasError as error:
        with pytest.raises(type(error), match=re.escape(error.message)):
            taken(source, csv.cut(source, whole, rows))
        return
    parts = list(csv.cut(source, whole, rows))
    assert taken(source, parts) == expected
    lines = len(expected[1]) + len(expected[2])
    assert len(parts) == (1 if encoding == "utf-16" else max(1, -(-lines // rows)))


def test_a_quote_never_closed_and_a_row_too_long_are_cut_around(file: Any) -> None:
    line = "2," + "x" * 997 + "\n"
    filler = line * (LONGEST_ROW // 1000 + 1500)
    path = file(f'id,text\n1,x\n1,"open\n{filler}3,y\n4,{"z" * (LONGEST_ROW + 99)}\n5,"a\nb"\n6,w\n')
    source = source_of(path)
    (whole,) = source.files(path.parent)
    columns, rows, rejected = taken(source, [whole])
    assert [reason for _, reason, _ in rejected] == [NEVER_CLOSED, TOO_LONG]
    for size in (1000, 7001):
        assert taken(source, csv.cut(source, whole, size)) == (columns, rows, rejected)


def test_a_large_file_is_many_parts_and_a_small_one_is_one(file: Any) -> None:
    path = file("id,name\n" + "17,Anna and some more letters to fill it\n" * 600_000)
    source = source_of(path)
    parts = list(csv.parts(source, path.parent))
    assert [part.spec["line"] for part in parts] == [2, 250_002, 500_002]
    assert [part.spec["before"] for part in parts] == [250_002, 500_002, None]
    small = file("id,name\n" + "17,Anna\n" * 600_000)
    assert len(list(csv.parts(source, path.parent))) == 1, small


def test_a_file_changed_after_it_was_cut_is_told(file: Any) -> None:
    path = file("id,name\n1,Anna\n2,Bo\n")
    source = source_of(path)
    first, second = csv.cut(source, *source.files(path.parent), 1)
    list(csv.read(source, first))
    path.write_text("id,name\n1,Anna\n22,Bo\n")
    with pytest.raises(SourceUnreadable, match="was changed while it was read"):
        list(csv.read(source, second))


cell = st.text(st.sampled_from('ab1 ø€,;|\t"\n\r\x0b\u2028😀'), max_size=6) | st.sampled_from(["NULL", "a\r\nb", '""'])


@settings(max_examples=200, deadline=None)
@given(
    rows=st.integers(1, 5).flatmap(
        lambda width: st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=8)
    ),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([written.QUOTE_MINIMAL, written.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    extra=st.sets(st.integers(0, 7)),
)
def test_all_rows_come_back_equal_or_rejected(
    tmp_path_factory: Any, rows: Any, delimiter: str, end: str, quoting: Any, encoding: str, extra: set[int]
) -> None:
    header = [f"name {number}" for number in range(len(rows[0]))]
    sent = [[*row, "one more"] if number in extra else row for number, row in enumerate(rows)]
    text = io.StringIO(newline="")
    if any(letter in cell for row in sent for cell in row for letter in "\r\n"):
        quoting = written.QUOTE_ALL  # csv.writer leaves line ends other than its own unquoted
    out = written.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    out.writerow(header)
    starts = []
    for row in sent:
        before = text.getvalue().replace("\r\n", "\n")
        starts.append(1 + len(re.findall("[\r\n]" if end == "\r" else "\n", before)))
        out.writerow(row)
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    came, rejected = read(path, delimiter=delimiter, header=True)
    good = [number for number, row in enumerate(sent) if len(row) == len(header)]
    assert values(came) == [[value or None for value in sent[number]] for number in good]
    assert [row[LINE] for row in came] == [starts[number] for number in good]
    assert [line for line, _ in rejected] == [starts[number] for number in range(len(sent)) if number not in good]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(st.sampled_from('a1,;"\n\0é'), max_size=60).map(str.encode))
def test_any_bytes_are_read_rejected_or_refused_with_words(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    path.write_bytes(content)
    try:
        read(path)
    except AtlasError as refused:
        assert "data.csv" in refused.message  # noqa: PT017 (most files are read)


def peak_of(code: str, path: Path) -> tuple[str, int]:
    """What a process of its own says of a file, and the most memory it took, in MB."""
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom connectors import csv\nfrom core.roots import Roots\n"
        "from core.errors import AtlasError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "source = csv.Source.model_validate({'connector': 'csv', 'path': sys.argv[1]}, context=Roots((Path('/'),)))\n"
        f"try:\n    {code}\nexcept AtlasError as error:\n    print(error.message)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True, timeout=120
    )
    said, peak = done.stdout.splitlines()
    return said, int(peak)


@pytest.mark.parametrize("rows", ["1\n", "", "1,2\n" * 9])
@pytest.mark.parametrize("header", [True, False])
def test_a_million_columns_are_refused_before_anything_is_made_of_them(file: Any, rows: str, header: bool) -> None:
    names = ",".join(f"c{n}" if header else "1" for n in range(1_000_000))
    path = file(f"{names}\n{rows}")
    said, peak = peak_of("[*(b for p in csv.parts(source, Path('/')) for b in csv.read(source, p))]", path)
    assert said == f"`{path}` has 1,000,000 columns in line 1; at most 2,000 can be read."
    assert peak < 400


def test_as_many_columns_as_are_allowed_are_read(file: Any) -> None:
    names = [f"c{n}" for n in range(MOST_COLUMNS)]
    rows, rejected = read(file(f"{','.join(names)}\n{','.join('1' * MOST_COLUMNS)}\n"))
    assert (len(rows[0]) - 1, rejected) == (MOST_COLUMNS, [])
