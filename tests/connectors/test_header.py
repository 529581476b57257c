"""Which line names the columns, what is said about it, and what is refused."""

from pathlib import Path

import pytest

from connectors import csv
from connectors._header import judged, names_of
from core.errors import SourceUnreadable
from core.models import Remark
from core.roots import Roots
from tests.connectors.reading import reading
from tests.connectors.test_exports import read


def written(tmp_path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


ROWS = "".join(f"{n};Ida Holm;{n},50;2026-03-{n:02}\n" for n in range(1, 12))
TABLE = "nr;navn;beløb;dato\n" + ROWS


def test_lines_above_the_header_are_left_out_and_never_quoted(tmp_path: Path) -> None:
    names, rows, rejects, said = read(written(tmp_path, f"Løn for Bo Lund, 20 12 34 56\n\n{TABLE}"))
    assert (names, len(rows), rejects.lines) == (["nr", "navn", "beløb", "dato"], 11, [])
    assert said == [
        "lines 1 to 2 were left out as a title, and line 3 taken for the header; if another line is the header, write "
        "its number: `header: 1`"
    ]


def test_the_line_of_the_header_can_be_written(tmp_path: Path) -> None:
    path = written(tmp_path, f"a;b;c;d\nx;y;z;w\n{TABLE}")
    names, rows, _, said = read(path, header=3)
    assert (names, len(rows), said) == (["nr", "navn", "beløb", "dato"], 11, [])
    with pytest.raises(SourceUnreadable, match="has no line 90 near its beginning"):
        read(path, header=90)


def test_lines_keep_their_numbers_below_a_title(tmp_path: Path) -> None:
    path = written(tmp_path, f"Title\n\n{TABLE}x;y\n", "utf-16")
    assert read(path)[2].lines == [15]


def test_a_file_without_a_header_says_so(tmp_path: Path) -> None:
    names, rows, _, said = read(written(tmp_path, ROWS))
    assert (names, len(rows)) == (["column_1", "column_2", "column_3", "column_4"], 11)
    assert said == [
        "no header was found: its columns are called column_1 to column_4; if a line names them, write its number: "
        "`header: 1`"
    ]
    assert read(written(tmp_path, ROWS), header=False)[3] == []


MONTHS = ["linje", "Order Date", "2024-01-01", "2024-02-01"]
OF_MONTHS = [[str(n), "blue valve", str(n * 7), "grey pipe"] for n in range(9)]


def beside(tmp_path: Path, *files: list[list[str]]) -> Path:
    for n, lines in enumerate(files):
        (tmp_path / f"{n}.csv").write_text("".join(",".join(line) + "\n" for line in lines), "utf-8")
    return tmp_path / "*.csv"


def test_a_header_that_looks_like_a_row_is_known_by_that_of_a_file_beside_it(tmp_path: Path) -> None:
    turned = [3, 2, 0, 1]
    assert reading(csv, beside(tmp_path, [[row[n] for n in turned] for row in [MONTHS, *OF_MONTHS]])).said  # alone
    both = [[MONTHS, *OF_MONTHS], [[row[n] for n in turned] for row in [MONTHS, *OF_MONTHS]]]
    for files in (both, both[::-1]):
        found = reading(csv, beside(tmp_path, *files))
        assert (sorted(found.names), len(found.rows), found.said) == (sorted(MONTHS), 18, [])


def test_a_file_without_a_header_beside_one_that_has_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=r"1\.csv` has no header and `.*0\.csv` has one"):
        reading(csv, beside(tmp_path, [MONTHS, *OF_MONTHS], OF_MONTHS))
    assert len(reading(csv, beside(tmp_path, OF_MONTHS, OF_MONTHS)).rows) == 18
    assert len(reading(csv, beside(tmp_path, [MONTHS, *OF_MONTHS], OF_MONTHS), header=False).rows) == 19


@pytest.mark.parametrize(
    "line",
    ["Ida Holm;ida@mail.example;x", "Ida Holm;20 12 34 56;x", "Ida Holm;010203-1234;x", "Ida;Lyngvej 1, 2. tv;x",
     "Ida;2012345678;x"],
)  # fmt: skip
def test_a_line_with_personal_data_never_names_columns(tmp_path: Path, line: str) -> None:
    names, rows, *_ = read(written(tmp_path, f"{line}\nBo;ukendt;3\nUna;?;4\nKaj;ukendt;5\n"))
    assert names == ["column_1", "column_2", "column_3"]
    assert len(rows) == 4


@pytest.mark.parametrize(
    ("names", "row"),
    [
        (["Land", "1/22/20", "1/23/20"], ["Danmark", "3", "4"]),
        (["Station", "25%", "50%"], ["Ribe", "1,5", "2,5"]),
        (["kommune", "2024", "2025"], ["Ribe", "117", "121"]),
        (["kommune", "0", "10", "20"], ["Ribe", "117", "121", "90"]),
        (["vare", "01-2026", "02-2026"], ["kop", "5", "6"]),
    ],
)
def test_numbers_and_dates_can_be_names(names: list[str], row: list[str]) -> None:
    assert judged(names, [row, [f"{cell}9" if cell[0].isdigit() else cell for cell in row]]).header


@pytest.mark.parametrize(
    ("row", "others"),
    [
        (["Ida Holm", "Ribe"], [["Bo Lund", "Vejle"], ["Una Krog", "Ribe"], ["Kaj Dahl", "Køge"]]),
        (["K001", "kop"], [["K002", "krus"], ["K003", "fad"], ["K004", "ske"]]),
        (["2026-01-01", "5"], [["2026-01-02", "6"], ["2026-01-03", "7"]]),
        (["Ida", "F"], [["Bo", "M"], ["Una", "F"], ["Ida", "F"]]),
    ],
)
def test_a_first_line_that_looks_like_all_others_is_a_row(row: list[str], others: list[list[str]]) -> None:
    assert not judged(row, others).header


def test_a_name_that_stands_twice_gets_a_number(tmp_path: Path) -> None:
    assert names_of(["a", "A", "a_2", "a", "", "column_5"]) == (
        ["a", "A_3", "a_2", "a_4", "column_5", "column_5_2"],
        ["3 columns have a name that another has before, and are read as `A_3`, `a_4`, `column_5_2`"],
    )
    assert names_of(['Size "L"']) == (
        ["Size 'L'"], ["a column has a name with a sign that no name can have, and is read as `Size 'L'`"],
    )  # fmt: skip
    assert names_of(["e\u0301te\u0301", "\u00e9t\u00e9"])[0] == ["\u00e9t\u00e9", "\u00e9t\u00e9_2"]


def test_a_header_that_comes_again_and_a_line_of_totals_are_no_rows(tmp_path: Path) -> None:
    _, rows, rejects, _ = read(written(tmp_path, f"{TABLE}nr;navn;beløb;dato\n{ROWS}I alt;;12,50;\n"))
    assert len(rows) == 22
    assert rejects.reasons == ["is the header again", "looks like a line of totals"]
    total = "Total;;9\n"
    _, rows, rejects, _ = read(written(tmp_path, f"land;by;antal\nTotal;;5\nRibe;;4\n{total}"))
    assert (len(rows), rejects.lines) == (3, []), "a total among rows that are as empty is a row"


def test_rows_may_end_with_a_delimiter_or_not(tmp_path: Path) -> None:
    names, rows, rejects, _ = read(written(tmp_path, "A,B,C\n1,4,7,\n2,5,8\n3,6,,\n4,7,9,x\n5,8,1,\n6,8,1,\n"))
    assert (names, [row[0] for row in rows]) == (["A", "B", "C"], ["1", "2", "3", "5", "6"])
    assert rejects.reasons == ["has 4 values, the header has 3"]


def test_a_header_of_another_width_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="line 1, names 2 columns, but most lines have 4 values"):
        read(written(tmp_path, f"a;b\n{ROWS}"))


@pytest.mark.parametrize(("given", "fits"), [(",", ";"), ("\t", ";"), ("|", ";")])
def test_a_delimiter_that_does_not_fit_is_refused_and_the_right_one_named(
    tmp_path: Path, given: str, fits: str
) -> None:
    with pytest.raises(SourceUnreadable, match="it has 4 columns if `;` is the delimiter") as refused:
        read(written(tmp_path, TABLE), delimiter=given)
    assert refused.value.hint == f'Write `delimiter: "{fits}"`, or leave it out.'


@pytest.mark.parametrize("sign", "^~#*")
def test_lines_that_another_sign_splits_are_never_one_column(tmp_path: Path, sign: str) -> None:
    path = written(tmp_path, f"navn{sign}tlf\nIda{sign}20123456\nBo{sign}31223344\n")
    with pytest.raises(SourceUnreadable, match="would be a single column") as refused:
        read(path)
    assert f"2 columns if `{sign}` is the delimiter" in str(refused.value.hint)
    assert read(path, delimiter=sign)[0] == ["navn", "tlf"]
    assert read(path, delimiter=",")[0] == [f"navn{sign}tlf"]


DANISH = "nr;navn\n1;Søren Ærø\n2;Åse Bjørn\n3;Lærke på Fyn\n4;Jørgen Gråbøl\n"


@pytest.mark.parametrize(
    ("real", "given", "looks"),
    [
        ("windows-1252", "utf-8", "looks like Windows-1252"),
        ("cp865", "utf-8", "looks like code page 850"),
        ("cp850", "windows-1252", "looks like code page 850"),
        ("windows-1252", "cp865", "looks like Windows-1252"),
        ("utf-8", "windows-1252", "looks like UTF-8"),
        ("utf-8", "iso-8859-1", "looks like UTF-8"),
        ("utf-8", "cp850", "looks like UTF-8"),
        ("utf-16", "utf-8", "begins with the mark of UTF-16-LE"),
        ("utf-16-le", "utf-8", "looks like UTF-16-LE"),
        ("windows-1252", "utf-16", "looks like Windows-1252"),
        ("utf-8-sig", "windows-1252", "begins with the mark of UTF-8"),
    ],
)
def test_an_encoding_that_does_not_fit_is_refused_and_the_right_one_named(
    tmp_path: Path, real: str, given: str, looks: str
) -> None:
    with pytest.raises(SourceUnreadable, match=looks):
        read(written(tmp_path, DANISH, real), encoding=given)


@pytest.mark.parametrize(
    "encoding", ["windows-1252", "iso-8859-1", "cp850", "cp865", "utf-8", "utf-16-le", "utf-16-be"]
)
def test_the_encoding_that_is_given_is_used(tmp_path: Path, encoding: str) -> None:
    _, rows, rejects, said = read(written(tmp_path, DANISH, encoding), encoding=encoding)
    assert ([row[1] for row in rows], rejects.lines) == (
        ["Søren Ærø", "Åse Bjørn", "Lærke på Fyn", "Jørgen Gråbøl"],
        [],
    )
    assert not said


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("a;b\n1;it’s\n2;“so” – he said…\n", "windows-1252", "windows-1252"),
        ("a;b\n1;€ 5\n2;Café\n", "windows-1252", "windows-1252"),
        ("a;b\n1;Grün™\n", "windows-1252", "windows-1252"),
        ("a;b\n1;på\n", "cp865", "cp850"),
        ("a;b\n1;ØRSTED\n", "cp865", "cp850"),
        ("a;b\n1;Müller\n", "cp850", "cp850"),
        ("a;b\n1;38 €\n2;på\n", "iso-8859-15", "iso-8859-15"),
    ],
)
def test_few_letters_are_enough_to_guess(tmp_path: Path, text: str, encoding: str, found: str) -> None:
    path = written(tmp_path, text, encoding)
    _, rows, _, said = read(path)
    assert [row[1] for row in rows] == [line.split(";")[1] for line in text.splitlines()[1:]]
    assert bool(said) == (found != "windows-1252")


SINGLE = [
    "'id';'text';'note'\n'1';'it''s \"good\"';'a'\n'2';'x; y';''\n'3';'lines\nof text';'c'\n",
    "id;text;note\n1;'it''s; \"good\"';a\n2;'x; y';\n3;'lines\nof; text';c\n4;l'été d'hier;d\n",
]


@pytest.mark.parametrize("text", SINGLE)
def test_values_may_stand_in_single_quotes(tmp_path: Path, text: str) -> None:
    names, rows, rejects, _ = read(written(tmp_path, text))
    assert (names, rejects.lines) == (["id", "text", "note"], [])
    good = 'it\'s; "good"' if text.startswith("id") else 'it\'s "good"'
    assert [row[1] for row in rows[:2]] == [good, "x; y"]
    assert [row[2] for row in rows[:3]] == ["a", None, "c"]
    assert len(rows) == 3 or rows[3][1] == "l'été d'hier"


@pytest.mark.parametrize("encoding", ["utf-8", "cp850"])
def test_the_last_byte_of_a_text_of_dos_is_no_part_of_a_value(tmp_path: Path, encoding: str) -> None:
    _, rows, rejects, _ = read(written(tmp_path, "id;farve\n1;blå\n2;8\x1a", encoding))
    assert (rows, rejects.lines) == ([["1", "blå"], ["2", "8"]], [])
    _, rows, _, _ = read(written(tmp_path, "id;farve\n1;a\x1ab\n2;c\n\x1a"))
    assert rows == [["1", "a\x1ab"], ["2", "c"]]


def test_apostrophes_in_texts_are_no_quotes(tmp_path: Path) -> None:
    rows = "".join(f"{n};'s-Hertogenbosch;rock 'n' roll;d'Artagnan\n" for n in range(9))
    assert read(written(tmp_path, f"nr;by;musik;navn\n{rows}"))[1][0] == [
        "0",
        "'s-Hertogenbosch",
        "rock 'n' roll",
        "d'Artagnan",
    ]


def test_a_row_in_single_quotes_that_cannot_be_read_is_kept_as_it_is(tmp_path: Path) -> None:
    lines = ["'id';'text'", *(f"'{n}';'it''s {n}'" for n in range(9)), "'9';'it''s';'more'"]
    _, rows, rejects, _ = read(written(tmp_path, "\n".join(lines)))
    assert (len(rows), rejects.raw) == (9, [lines[-1]])


def test_letters_of_another_alphabet_are_refused_until_their_encoding_is_written(tmp_path: Path) -> None:
    path = written(tmp_path, "id;город\n1;Москва\n2;Казань\n", "windows-1251")
    with pytest.raises(SourceUnreadable, match="its letters make no words in Windows-1252"):
        read(path)
    assert read(path, encoding="windows-1251")[1] == [["1", "Москва"], ["2", "Казань"]]


def test_all_parts_of_a_large_file_say_once_what_was_assumed(tmp_path: Path) -> None:
    path = written(tmp_path, f"Title\n\n{TABLE}")
    source = csv.Source.model_validate({"connector": "csv", "path": str(path)}, context=Roots((tmp_path,)))
    parts = list(csv.cut(source, source.files(tmp_path)[0], 3))
    said = [batch for part in parts for batch in csv.read(source, part) if isinstance(batch, Remark)]
    assert (len(parts), len(said)) == (4, 1)
