"""What is read of JSON Lines, and which lines are rejected."""

from pathlib import Path

import pytest

from connectors import jsonl
from core.errors import SourceUnreadable
from tests.connectors.reading import reading


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "data.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_numbers_stay_as_written_and_what_is_nested_is_json(tmp_path: Path) -> None:
    found = reading(
        jsonl,
        written(
            tmp_path,
            '\ufeff{"id": 12345678901234567890, "beløb": 1.10, "by": {"navn": "Ribe", "nr": 1.50}}\n\n'
            '{"id": 2, "mails": ["a", null], "ok": true, "note": ""}\n',
        ),
    )
    assert found.names == ["id", "beløb", "by", "mails", "ok", "note"]
    assert found.rows == [
        ["12345678901234567890", "1.10", '{"navn": "Ribe", "nr": 1.50}', None, None, None],
        ["2", None, None, '["a", null]', "true", None],
    ]
    assert found.lines == [1, 3]


def test_a_line_that_is_no_object_is_rejected_with_its_reason(tmp_path: Path) -> None:
    lines = [b'{"a": 1}', b"[1]", b"{bad", b'{"a": 1, "a": 2}', b'{"a": NaN}', b'{"a": "\xff"}', b'{"a": "\\u0000"}',
             b"[" * 200_000, b'{"a": "' + b"z" * 20_000_000 + b'"}', b'{"a": 9}']  # fmt: skip
    found = reading(jsonl, written(tmp_path, b"\n".join(lines)))
    assert (found.rows, found.lines) == ([["1"], ["9"]], [1, 10])
    assert found.rejected == [
        (2, "is not an object"),
        (3, "is not JSON"),
        (4, "has the same key twice"),
        (5, "has NaN or Infinity, which is not JSON"),
        (6, "has bytes that are not UTF-8"),
        (7, "has a NUL byte"),
        (8, "is nested too deeply"),
        (9, "is longer than 16 MB"),
    ]


@pytest.mark.parametrize("content", ["", "[\n 1,\n 2\n]\n", '[{"id": 1}, {"id": 2}]', "id;navn\n1;x\n"])
def test_what_is_no_json_lines_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(SourceUnreadable, match="has no line that is a JSON object"):
        reading(jsonl, written(tmp_path, content))


def test_utf_16_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="is not written in UTF-8"):
        reading(jsonl, written(tmp_path, '{"a": 1}\n'.encode("utf-16")))
