"""The nouns: what passes between the layers, as plain values."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

LINE = "_line"  # the column that raw batches carry beside the source's own: the line or record a row came from

MOST_COLUMNS = 2000  # columns of one source: each costs time and memory, whatever it holds

LAYERS = {"explore": "Explore", "chart": "Chart", "navigate": "Navigate"}

DIMENSIONS = ("completeness", "uniqueness", "validity", "accuracy", "consistency", "timeliness")

NO_ROWS = "no row to test"  # the note of a rule that would be measured if there were a row for it

PERSONAL_TYPES = (
    "PERSON", "EMAIL", "PHONE", "CPR", "NATIONAL_ID", "ADDRESS", "DATE_OF_BIRTH", "IBAN", "BANK_ACCOUNT",
    "CREDIT_CARD", "IP", "MAC", "PASSPORT", "LICENSE_PLATE", "DRIVER_LICENSE", "USERNAME", "PROFILE_URL",
)  # fmt: skip


@dataclass(frozen=True)
class SourcePart:
    """One piece of a source that one worker reads: a file, a key range, a page sequence. `spec` is JSON."""

    name: str
    spec: dict[str, Any]


@dataclass(frozen=True)
class Rejects:
    """Rows of a source that could not be read: for each its line, what is wrong with it, and the row itself."""

    lines: list[int]
    reasons: list[str]
    raw: list[str]


@dataclass(frozen=True)
class Remark:
    """What a source says beside its rows: words for the answer, without data, and how many different rows it has.

    `doubt`: the words say that rows may have come twice, which is an error unless a key tells them apart.
    """

    text: str = ""
    records: int | None = None
    doubt: bool = False


@dataclass(frozen=True)
class RawFile:
    """One raw Parquet file in the closed zone: every column text, plus LINE (int64)."""

    path: str
    rows: int


@dataclass(frozen=True)
class ColumnType:
    """What a column holds, decided once from the whole input.

    `format` of dates and datetimes is a strptime format. Of numbers it is "," (1.234,5), "." (1,234.5), "e" (1e-05),
    or nothing (1234.5). `scale` is the decimals of a decimal; `wide` numbers have up to 38 digits instead of 18;
    `unit` stands in every cell; `zoned` says whether datetimes carry their own offset.
    """

    kind: Literal["text", "integer", "decimal", "date", "datetime"] = "text"
    format: str | None = None
    scale: int | None = None
    zoned: bool = False
    wide: bool = False
    unit: str | None = None

    def __str__(self) -> str:
        return f"decimal({38 if self.wide else 18},{self.scale})" if self.kind == "decimal" else self.kind


@dataclass(frozen=True)
class Verdict:
    """What a column was found to hold, how sure that is, why, and what is done with it.

    `scope` says where `action` applies: the whole column, only the cells found, or the spans inside free text.
    A column that is not personal has no types and action "keep"; its cells are scanned all the same.
    """

    column: str
    types: tuple[str, ...] = ()
    confidence: float = 0.0
    reason: str = ""
    action: str = "keep"
    options: dict[str, Any] = field(default_factory=dict)
    scope: Literal["column", "cells", "spans"] = "cells"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Verdict":
        return Verdict(**{**value, "types": tuple(value["types"])})


@dataclass(frozen=True)
class Ruling:
    """A person's word on what a column holds. No type, or one that is found but not personal: not personal."""

    id: int
    column: str
    type: str | None
    because: str
    by: str
    at: datetime

    @property
    def personal(self) -> bool:
        return self.type in PERSONAL_TYPES


@dataclass(frozen=True)
class CheckResult:
    """One check of a contract: how many rows it tested and how many failed. Nothing tested = not measured."""

    check: str  # readable and stable: "email is filled in", "country is one of 5 values"
    dimension: str
    column: str | None
    failed: float
    tested: float
    weight: float = 1.0
    note: str | None = None  # why it could not be measured, or a figure worth telling (the age of the newest row)
    fault: str = ""  # the fault of the rows that fail: "email is empty"
    newest: float | None = None  # the newest time that a check of times has seen, in seconds since 1970


@dataclass(frozen=True)
class Table:
    """A published table as a reader sees it: immutable Parquet files and the names and types of its columns."""

    name: str
    files: tuple[Path, ...]
    columns: dict[str, str]  # name -> DuckDB type
    masked: frozenset[str] = frozenset()  # columns that are hashed
    rows: int = 0
