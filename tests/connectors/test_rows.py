"""The vectorised splitter against a plain reading of the same rules, letter by letter."""

import io
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._rows import LONE_RETURN, LONGEST_ROW, NEVER_CLOSED, TEXT_AFTER_QUOTE, TOO_LONG, split

Found = list[tuple[int, bytes, int | str]]


def plainly(data: bytes, returns: bool) -> Found:
    """Line, bytes and number of values (or what is broken) of every row."""
    found: Found = []
    at, line = 0, 1
    while at < len(data):
        start, first_line, fields, broken, lone = at, line, 1, "", False
        field_start = True
        while at < len(data) and not _end(data, at, returns):
            if data[at] == 34 and field_start and not broken:
                end = at + 1
                while end < len(data) and (data[end] != 34 or data[end : end + 2] == b'""'):
                    end += 2 if data[end] == 34 else 1
                if end < len(data) and (end + 1 == len(data) or data[end + 1] in b",\r\n"):
                    line += _ends(data[at:end], returns)
                    at = end + 1
                else:
                    broken = TEXT_AFTER_QUOTE if end < len(data) else NEVER_CLOSED
                    at += 1
                field_start = False
                continue
            field_start = data[at] == ord(",")
            fields += field_start
            lone |= data[at] == 13
            at += 1
        if at > start:
            found.append((first_line, data[start:at], broken or (LONE_RETURN if lone else fields)))
        if at < len(data):
            at += len(_end(data, at, returns))
            line += 1
    return found


def _end(data: bytes, at: int, returns: bool) -> bytes:
    ends = (b"\r\n", b"\n", b"\r") if returns else (b"\r\n", b"\n")
    return next((end for end in ends if data.startswith(end, at)), b"")


def _ends(data: bytes, returns: bool) -> int:
    return (data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if returns else data).count(b"\n")


def quickly(data: bytes, sizes: list[int], returns: bool = False) -> Found:
    file, turn = io.BytesIO(data), itertools.cycle(sizes)
    found: Found = []
    for rows in split(lambda _: file.read(next(turn)), ",", returns):
        for row in range(len(rows)):
            what = rows.broken.get(row, int(rows.fields[row]))
            found.append((int(rows.lines[row]), rows.data[rows.starts[row] : rows.ends[row]], what))
    return found


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from([b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"a", b'"a"', b',"', b'",', b'"\n']), max_size=24
    ),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.booleans(),
)
def test_any_text_is_split_as_a_letter_by_letter_reading_splits_it(
    pieces: list[bytes], sizes: list[int], returns: bool
) -> None:
    data = b"".join(pieces)
    assert quickly(data, sizes, returns) == plainly(data, returns)


def test_a_stray_quote_costs_its_own_line_only() -> None:
    data = b'a,b\n1,"open\n2,x\n3,"shut"\n'
    assert quickly(data, [7]) == [
        (1, b"a,b", 2),
        (2, b'1,"open', TEXT_AFTER_QUOTE),
        (3, b"2,x", 2),
        (4, b'3,"shut"', 2),
    ]


def test_a_quote_open_for_longer_than_any_row_costs_its_own_line_only() -> None:
    line = b"2," + b"x" * 997 + b"\n"
    data = b'1,"open\n' + line * (LONGEST_ROW // 1000 + 1000)
    found = quickly(data, [1 << 20])
    assert found[0] == (1, b'1,"open', NEVER_CLOSED)
    assert len(found) == LONGEST_ROW // 1000 + 1001
    assert found[-1] == (LONGEST_ROW // 1000 + 1001, line[:-1], 2)


def test_an_endless_line_is_rejected_and_the_next_one_is_read() -> None:
    data = b"1,x\n2," + b"y" * (LONGEST_ROW + (3 << 20)) + b"\r\n3,z\n"
    found = quickly(data, [1 << 20])
    assert [(line, what) for line, _, what in found] == [(1, 2), (2, TOO_LONG), (3, 2)]
