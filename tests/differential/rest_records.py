"""Made JSON records: how each value is written, and what it means."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from tests.differential.csv_columns import THINGS, local
from tests.differential.truth import Column, Json, Reading

MISSING = object()
NAMES = (
    "quantity,amount,unitPrice,status,is_open,size,Weight kg,kategori,mærke,tags,dimensions,rate,level,created,"
    "deadline,code,remark,worth,Beløb,ratio,flag,batch,shelf,unit"
).split(",")


@dataclass(frozen=True)
class Cell:
    """A value as JSON, as text, and as what it means."""

    json: str
    text: str | None
    value: Any
    nested: str = ""  # the key below the record's, if it stands in an object


@dataclass(frozen=True)
class Record:
    """The cells by name, in order. A name without a cell is a key that this record lacks."""

    cells: tuple[tuple[str, str, Cell | None], ...]  # name, kind, cell

    def text(self) -> str:
        given = [
            f'"{name}": ' + (f'{{"{cell.nested}": {cell.json}, "n": 1}}' if cell.nested else cell.json)
            for name, _, cell in self.cells if cell is not None
        ]  # fmt: skip
        return "{" + ", ".join(given) + "}"

    def cell(self, name: str) -> Cell | None:
        return next(cell for found, _, cell in self.cells if found == name)

    def since(self, cursor: str, when: str) -> bool:
        cell = self.cell(cursor)
        return cell is None or cell.value is None or cell.value >= _moment(when)

    def changed(self, r: Random, later: bool = False) -> "Record":
        """The record with other values, and its key."""
        made = []
        for name, kind, cell in self.cells:
            if name == "updated_at":
                cell = _time(r, later) if later else cell
            elif name != "id" and kind in MAKERS and cell is not None and cell.value is not None:
                cell = dataclasses.replace(MAKERS[kind](r), nested=cell.nested)
            made.append((name, kind, cell))
        return Record(tuple(made))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _number(text: str) -> Cell:
    return Cell(text, text, Decimal(text))


def _string(text: str, value: Any = None) -> Cell:
    return Cell(json.dumps(text, ensure_ascii=len(text) % 2 == 0), text, value)


def _time(r: Random, later: bool = False) -> Cell:
    moment = datetime(2025 if later else 2024, 3, 1, tzinfo=UTC) + timedelta(seconds=r.randrange(2 * 10**7))
    text = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Cell(f'"{text}"', text, moment)


def _naive(r: Random) -> Cell:
    moment = datetime(2024, 1, 1) + timedelta(seconds=r.randrange(10**7))  # noqa: DTZ001
    return _string(moment.isoformat(), local(moment))


def _seven(r: Random) -> Cell:
    moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=r.randrange(10**7), microseconds=r.randrange(10**6))
    text = f"{moment:%Y-%m-%dT%H:%M:%S.%f}{r.randint(0, 9)}Z"
    return Cell(f'"{text}"', text, moment)


def _date(r: Random) -> Cell:
    day = date(2020, 1, 1) + timedelta(days=r.randrange(2000))
    return _string(day.isoformat(), day)


def _list(r: Random) -> Cell:
    text = json.dumps(
        [r.choice(("red", "grøn", "blå", 4, 2.5, None)) for _ in range(r.randint(0, 3))], ensure_ascii=False
    )
    return Cell(text, Json(text), None)


def _sentence(r: Random) -> Cell:
    bits = ("\n", '"', " \\ ", "\t", " ", "; ", ",", " 🙂 ", "é", "é", "'")
    return _string(r.choice(THINGS) + r.choice(bits) + r.choice(THINGS))


def _bool(r: Random) -> Cell:
    text = r.choice(("true", "false"))
    return Cell(text, text, text == "true")


MAKERS = {
    "whole numbers": lambda r: _number(str(r.randint(-500, 10**5))),
    "whole numbers of 19 digits": lambda r: _number(str(r.randint(10**18, 10**19 - 1))),
    "decimals": lambda r: _number(f"{r.randint(0, 10**5) / 100:.2f}"),
    "decimals of 7 to 18 places": lambda r: _number(f"{r.randint(0, 90)}.{r.randint(10**8, 10**9 - 1)}"),
    "numbers with exponents": lambda r: _number(
        f"{r.randint(1, 9)}.5{r.choice('eE')}{r.choice(('-0', '+', '-'))}{r.randint(1, 6)}"
    ),
    "yes and no": _bool,
    "words": lambda r: _string(r.choice(THINGS)),
    "sentences": _sentence,
    "codes with leading zeros": lambda r: _string(f"{r.randint(0, 99):04}"),
    "numbers in strings": lambda r: _string(*((t := f"{r.randint(1, 999)}.{r.randint(10, 99)}"), Decimal(t))),
    "times in ISO 8601": _time,
    "times without an offset": _naive,
    "times of 7 digits of a second": _seven,
    "dates": _date,
    "lists": _list,
    "mixed": lambda r: r.choice((_number(str(r.randint(1, 99))), _string(r.choice(("many", "few", "A1"))))),
}  # fmt: skip
NOT_TYPED = ("numbers in strings", "yes and no")


def records(r: Random, many: int, *, times: bool, like: Sequence[Record] = (), later: bool = False) -> list[Record]:
    """So many of one shape; `like` are earlier ones, which these follow."""
    if like:
        fields = [
            (name, kind, cell.nested if cell else "")
            for name, kind, cell in like[0].cells
            if kind in MAKERS and name != "updated_at"
        ]
    else:
        kinds = r.choices([*MAKERS], k=r.randint(2, 7))
        fields = [
            (name, kind, r.choice(("", "", "", "city", "Værdi")))
            for name, kind in zip(r.sample(NAMES, len(kinds)), kinds, strict=True)
        ]
    lacks = {name: r.random() < 0.25 for name, _, _ in fields}
    first = len(like) + r.choice((1, 1000))
    made = []
    for n in range(many):
        cells: list[tuple[str, str, Cell | None]] = [("id", "key", _number(str(first + n + (5000 if like else 0))))]
        for name, kind, nested in fields:
            cell: Cell | None = MAKERS[kind](r)
            if lacks[name] and r.random() < 0.4 and not like and n:
                cell = r.choice((None, Cell("null", None, None), Cell('""', None, None)))
            elif cell is not None and nested:
                cell = Cell(cell.json, cell.text, cell.value, nested)
            cells.append((name, kind, cell))
        if times:
            cells.append(("updated_at", "cursor", _time(r, later)))
        made.append(Record(tuple(cells)))
    return made


def columns(of: Sequence[Record]) -> list[Column]:
    """The columns that records become."""
    made = []
    for at, (name, kind, _) in enumerate(of[0].cells):
        cells = [record.cells[at][2] for record in of]
        nested = {cell.nested for cell in cells if cell is not None and cell.nested}
        under = next(iter(nested), "")
        plain = [c for c in cells if c is not None and not c.nested]
        if nested and plain:  # a null where others have an object may be a column of its own, which holds nothing
            made.append(Column(name, "nothing", [None] * len(of), optional=True))
        texts = [cell.text if cell else None for cell in cells]
        column = Column(f"{name}_{under}" if under else name, kind, texts)
        if kind in ("words", "sentences", "codes with leading zeros", "lists"):
            pass
        elif kind == "mixed":
            numbers = [cell.value if cell else None for cell in cells]
            if all(number is not None for number, text in zip(numbers, texts, strict=True) if text is not None):
                column.readings.append(Reading("the number", numbers))
        else:
            column.readings.append(Reading("the value", [cell.value if cell else None for cell in cells]))
            column.text = kind in NOT_TYPED or kind == "key"
        made.append(column)
        if nested:
            beside = [Decimal(1) if cell is not None and cell.nested else None for cell in cells]
            ones = [None if b is None else "1" for b in beside]
            made.append(Column(f"{name}_n", "whole numbers", ones, [Reading("the value", beside)]))
    return made
