"""Every mistake in a pipeline file is told with its line and what is allowed; none is a traceback."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import pipeline_file as pipeline
from core.errors import BadPipeline
from core.pipeline import Pipeline

GOOD = "name: orders\nowner: web\nsource: {connector: csv, path: a.csv}\n"


def check(folder: Path, text: str | bytes) -> list[str]:
    """The mistakes in a file of this text, without its name; a file without any has a pipeline."""
    path = folder / "orders.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found, mistakes = pipeline.check(path)
    assert (found is None) == bool(mistakes)
    assert all(mistake.file == "orders.yml" for mistake in mistakes)
    return [f"{mistake.line}: {mistake.message}" for mistake in mistakes]


def read(folder: Path, text: str) -> Pipeline:
    path = folder / "orders.yml"
    path.write_text(text)
    return pipeline.read(path)


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ("ownr: x", "4: unknown key `ownr`; did you mean `owner`?"),
        ("quality:\n  completness: [a]", "5: unknown key `quality.completness`; did you mean `completeness`?"),
        (
            "quality:\n  validity:\n    - {column: a, min: 1}\n    - {column: a, min: 1, fromat: cpr}",
            "7: unknown key `quality.validity.2.fromat`; did you mean `format`?",
        ),
        (
            "privacy:\n  zzz: 1",
            "5: unknown key `privacy.zzz`; allowed: columns, legal_basis, persons, purpose, raw_reten",
        ),
        ("5: x", "4: unknown key `5`; allowed: bad_values, columns, description, key, max_rej"),
        ("owner: b", "4: `owner` is written twice"),
        ("quality:\n  completeness: [a]\n  completeness: [b]", "6: `completeness` is written twice"),
        ("key: order_id", "4: `key` is `order_id`: must be a list: [a, b]"),
        ("key: ['a\"b']", '4: `key.1`: `a"b` cannot be the name of a column: it holds a `"` or a control character'),
        ("subject: [a]", "4: `subject`: must hold keys of its own: {key: value}"),
        ("quality:", "4: `quality`: is empty; fill it in or leave the key out"),
        ("quality: {timeliness: [a]}", "4: `quality.timeliness`: must hold keys of its own"),
        ("privacy: {retention_days: many}", "4: `privacy.retention_days` is `many`: input should be a valid integer"),
        ("privacy: {retention_days: true}", "4: `privacy.retention_days` is `True`: input should be a valid integer"),
        ("privacy: {retention_days: 0}", "4: `privacy.retention_days` is `0`: input should be greater than 0"),
        (
            "privacy: {columns: {a: hide}}",
            "4: `privacy.columns.a.action` is `hide`: input should be 'hash', 'redact', ",
        ),
        ("privacy: {columns: {a: {action: generalize}}}", "4: `privacy.columns.a`: `to` belongs to `generalize`"),
        ("privacy: {columns: {a: {action: hash, to: year}}}", "4: `privacy.columns.a`: `to` belongs to `generalize`"),
        ("columns: {a: number}", "4: `columns.a.type` is `number`: input should be 'text', 'integer', 'decimal', "),
        (
            "columns: {a: {type: date, decimal: ','}}",
            "4: `columns.a`: `decimal` says how numbers are written, and date",
        ),
        ("columns: {a: {type: text, format: '%Y'}}", "4: `columns.a`: `format` says how dates are written, and text"),
        ("columns: {a: {type: date, format: 'dd-mm-yyyy'}}", "4: `columns.a`: `dd-mm-yyyy` is no format of dates"),
        ("columns: {a: {type: date, format: '%d-%d-%Y'}}", "4: `columns.a`: `%d-%d-%Y` is no format of dates"),
        ("columns: {a: {type: date, formt: x}}", "4: unknown key `columns.a.formt`"),
        ("bad_values: drop", "4: `bad_values` is `drop`: input should be 'reject' or 'text'"),
        ("max_rejected_percent: 101", "4: `max_rejected_percent` is `101`: input should be less than or equal to 100"),
        ("timezone: Mars/Base", "4: `timezone` is `Mars/Base`: is no time zone; write one like Europe/Copenhagen"),
        ("timezone: Europe", "4: `timezone` is `Europe`: is no time zone"),
        ("timezone: ../../../etc/passwd", "4: `timezone` is `../../../etc/passwd`: is no time zone"),
        ("timezone: " + "x" * 9000, "4: `timezone` is `" + "x" * 60 + "…`: is no time zone"),
        (
            "quality: {minimum_score: 101}",
            "4: `quality.minimum_score` is `101`: input should be less than or equal to 100",
        ),
        (
            "quality: {reject_rows: [timeliness]}",
            "4: `quality.reject_rows.1` is `timeliness`: input should be 'complete",
        ),
        (
            "quality: {validity: [{column: a}]}",
            "4: `quality.validity.1`: says nothing about what is valid; add format, ",
        ),
        (
            "quality: {validity: [{column: a, values: []}]}",
            "4: `quality.validity.1.values`: list should have at least 1",
        ),
        (
            "quality: {validity: [{column: a, values: [true]}]}",
            "4: `quality.validity.1.values.1` is `True`: is no text or ",
        ),
        ("quality: {validity: [{column: a, values: [~]}]}", "4: `quality.validity.1.values.1`: is empty"),
        (
            "quality: {validity: [{column: a, min: .inf}]}",
            "4: `quality.validity.1.min` is `inf`: input should be a finite",
        ),
        (
            "quality: {validity: [{column: a, min: .nan}]}",
            "4: `quality.validity.1.min` is `nan`: input should be a finite",
        ),
        (
            "quality: {validity: [{column: a, min: 2, max: 1}]}",
            "4: `quality.validity.1`: allows nothing: min is more than",
        ),
        (
            "quality: {accuracy: [{column: a}]}",
            "4: `quality.accuracy.1`: is either {column: …, matches: dataset.column}",
        ),
        ("quality: {consistency: 'a > b'}", "4: `quality.consistency.1` is `a > b`: must hold keys of its own"),
        (
            "quality: {accuracy: {expression: ' '}}",
            "4: `quality.accuracy.1.expression` is ` `: string should have at least",
        ),
        (
            "quality: {consistency: {column: a, references: b}}",
            "4: `quality.consistency.1.references`: `b` is not a column",
        ),
        (
            "quality: {timeliness: {column: a, max_age_hours: 0}}",
            "4: `quality.timeliness.max_age_hours` is `0`: input ",
        ),
        ("key: [a\n", "4: while parsing a flow sequence expected ',' or ']'"),
        ("description: 'a", "4: while scanning a quoted scalar found unexpected end of stream"),
        ("key: a: b", "4: mapping values are not allowed here"),
        ("quality:\n\tcompleteness: [a]", "5: while scanning for the next token found a tab; indent with spaces"),
        ("---\nname: b", "4: expected a single document in the stream but found another document"),
        ('description: "a\\0b"', "4: `description`: contains a character that is not valid"),
        ('description: "\\ud800"', "4: `description`: contains a character that is not valid"),
        ("description: " + "[" * 2000 + "]" * 2000, "4: is nested too deeply"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_is_allowed(tmp_path: Path, lines: str, mistake: str) -> None:
    (found,) = check(tmp_path, GOOD + lines + "\n")
    assert found.startswith(mistake)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "1: holds no keys; the first is `name: …`"),
        ("# nothing yet\n", "1: holds no keys; the first is `name: …`"),
        ("- a\n", "1: holds no keys; the first is `name: …`"),
        ("hello", "1: holds no keys; the first is `name: …`"),
        ("name: orders\nsource: {connector: csv, path: a}\n", "1: `owner` is missing"),
        (GOOD.replace("web", "' '"), "2: `owner` is ` `: string should have at least 1 character"),
        (
            GOOD.replace("orders", "Orders"),
            "1: `name`: `Orders` cannot be a name: use a-z, 0-9 and _, start with a letter, at most 63 characters",
        ),
        (GOOD.replace("orders", "other"), "1: name `other` must be the file's own, `orders`"),
        (GOOD.replace("csv,", "cvs,"), "3: `source.connector` is `cvs`: there is no such connector; known: "),
        (GOOD.replace("connector: csv, ", ""), "3: `source.connector` is missing; known: "),
        (GOOD.replace("csv,", "[csv],"), "3: `source.connector` is `['csv']`: there is no such connector"),
        (GOOD.replace(", path: a.csv", ""), "3: `source.path` is missing"),
        (GOOD.replace("}", ", delimter: ;}"), "3: unknown key `source.delimter`; did you mean `delimiter`?"),
        (GOOD.replace("{connector: csv, path: a.csv}", "[a]"), "3: `source`: must hold keys of its own: {key: value}"),
        ((GOOD + "# æ\ndescription: blå\n").encode("latin-1"), "4: holds a byte that is not UTF-8; save it as UTF-8"),
        (GOOD.encode("utf-16"), "1: holds a byte that is not UTF-8; save it as UTF-8"),
        (GOOD + "description: a\x07b\n", "1: unacceptable character #x0007"),
        (GOOD + "description: " + "x" * 10_000_000, "1: is larger than 1 MB: is it a pipeline file?"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str | bytes, mistake: str) -> None:
    (found,) = check(tmp_path, text)
    assert found.startswith(mistake)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD + "key: 1\nquality:\n  validity:\n    - column: a\n      format: emil\n    - {column: b, min: x}\n"
    assert sorted(line.partition(":")[0] for line in check(tmp_path, text)) == ["4", "8", "9"]


@pytest.mark.parametrize("what", ["key: [id]", "subject: {customer: id}",
                                  "quality: {consistency: [{column: id, references: customers.id}]}"])  # fmt: skip
@pytest.mark.parametrize("action", ["redact", "partial", "{action: generalize, to: year}"])
def test_a_column_that_joins_may_not_be_masked_so_that_it_no_longer_does(
    tmp_path: Path, what: str, action: str
) -> None:
    (found,) = check(tmp_path, GOOD + f"{what}\nprivacy:\n  columns:\n    other: redact\n    id: {action}\n")
    assert found.startswith("8: `privacy.columns.id`: ")
    assert "would break joins" in found
    assert check(tmp_path, GOOD + f"{what}\nprivacy:\n  columns:\n    id: hash\n") == []


def test_the_age_of_a_masked_column_is_not_measured(tmp_path: Path) -> None:
    rule = "quality: {timeliness: {column: born, max_age_hours: 24}}\nprivacy:\n  columns:\n    born: "
    for action in ("hash", "redact", "partial", "tokenize", "{action: generalize, to: year}"):
        (found,) = check(tmp_path, GOOD + rule + action + "\n")
        assert found.startswith("4: `quality.timeliness`: the age of the newest `born` would be shown"), found
    assert check(tmp_path, GOOD + rule + "keep\n") == []


def test_a_value_of_the_source_is_never_repeated(tmp_path: Path) -> None:
    for line in (
        "source: {connector: csv, path: a.csv, header: hemmelig}",
        "source: {connector: csv, path: [hemmelig]}",
        "source: {connector: csv, path: a, path: hemmelig}",
        "source: {connector: csv, path: a, password: hemmelig}",
    ):
        found = check(tmp_path, f"name: orders\nowner: web\n{line}\n")
        assert found
        assert "hemmelig" not in str(found)


def test_a_folder_or_nothing_instead_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder.yml").mkdir()
    assert str(pipeline.check(tmp_path / "folder.yml")[1][0]) == "folder.yml:1: is a folder, not a file"
    assert str(pipeline.check(tmp_path / "none.yml")[1][0]) == "none.yml:1: There is no file `none.yml`"


def test_aliases_of_aliases_are_refused_before_they_are_billions(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for one, two in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{two}: &{two} [{','.join([f'*{one}'] * 9)}]\n"
    (found,) = check(tmp_path, GOOD + bomb)
    assert "holds too many values, with its aliases" in found
    assert check(tmp_path, GOOD + "key: &a [*a]\n")
    assert check(tmp_path, GOOD + "description: &a {b: *a}\n")


def test_yaml_is_1_2_where_no_and_yes_are_words(tmp_path: Path) -> None:
    found = read(
        tmp_path, GOOD + "quality: {validity: [{column: c, values: [NO, yes, on, off, y, DK, 2024-01-31, 1.50]}]}\n"
    )
    assert found.quality.validity[0].values == ["NO", "yes", "on", "off", "y", "DK", "2024-01-31", 1.5]


def test_a_single_rule_and_a_bare_column_are_enough(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        GOOD + "quality:\n  completeness: email\n  uniqueness: [id, {columns: [a, b], weight: 2}]\n"
        "  validity: {column: a, min: 1}\n  consistency: {expression: ' a > b '}\n",
    )
    assert [rule.column for rule in found.quality.completeness] == ["email"]
    assert [rule.columns for rule in found.quality.uniqueness] == [["id"], ["a", "b"]]
    assert found.quality.consistency[0].expression == "a > b"


def test_a_bom_and_windows_line_ends_are_no_mistake(tmp_path: Path) -> None:
    assert check(tmp_path, ("\ufeff" + GOOD + "description: på dansk\n").replace("\n", "\r\n")) == []


def test_no_python_is_made_from_a_tag(tmp_path: Path) -> None:
    marker = tmp_path / "made"
    check(tmp_path, GOOD + f"description: !!python/object/apply:os.mkdir ['{marker}']\n")
    assert not marker.exists()


def test_reading_raises_every_mistake_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(BadPipeline, match=r"^orders\.yml:4: .*\norders\.yml:5: ") as caught:
        read(tmp_path, GOOD + "key: a\nsubject: b\n")
    assert caught.value.hint == "Correct `orders.yml`, then: atlas check orders"


def test_a_pipeline_survives_the_database(tmp_path: Path) -> None:
    found = read(
        tmp_path, GOOD + "key: [id]\nquality: {completeness: [a], timeliness: {column: b, max_age_hours: 5}}\n"
    )
    assert Pipeline.model_validate(found.model_dump(mode="json")) == found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet=st.sampled_from(list("ab:-[]{},'\"&*!|>%@?#~\t\n 0.é")), max_size=40))
def test_whatever_is_appended_is_no_traceback(tmp_path: Path, text: str) -> None:
    check(tmp_path, GOOD + text)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60))
def test_whatever_the_bytes_it_is_no_traceback(tmp_path: Path, data: bytes) -> None:
    check(tmp_path, data)


DEEP = {
    "brackets": "a: " + "[" * 19_000,
    "brackets that close": "a: " + "[" * 800 + "]" * 800,
    "braces": "a: " + "{a: " * 4_000,
    "lines of brackets": "a: " + ("[" * 20 + "\n") * 900,
    "lists in lists": "- " * 9_000 + "x",
    "keys in keys": "? " * 40 + "x",
    "keys that are lists": "[" * 19 + "a: b" + "]: c" * 18 + "]",
    "keys that are aliases": "a: &a {x: 1}\n" + "".join(f"k{n}: &{n} {{*{n - 1 or 'a'} : 1}}\n" for n in range(1, 40)),
    "aliases that double": "k0: &k0 [a]\n" + "".join(f"k{n}: &k{n} [*k{n - 1}, *k{n - 1}]\n" for n in range(1, 40)),
}


@pytest.mark.parametrize("what", DEEP)
def test_a_small_file_that_is_nested_without_end_is_refused_in_a_moment(what: str) -> None:
    began = time.process_time()
    found, mistakes = pipeline.check(Path("x.yml"), DEEP[what])
    assert (found, len(mistakes)) == (None, 1)
    assert time.process_time() - began < 1.5


def test_brackets_in_a_description_or_pattern_are_no_nesting(tmp_path: Path) -> None:
    assert check(tmp_path, GOOD + f"description: {'see [1], [2] and {x} ' * 30}\n") == []
    rule = 'quality: {validity: [{column: a, regex: "[(]{1,2}[a-z]{3}[)]"}]}'
    assert check(tmp_path, GOOD + rule + "\n") == []
