"""What Atlas answers, before any platform draws it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

Holds = Literal["counts", "rows", "subjects"]
# how much of the data an answer shows, least first: counts, scores and names; values of rows; facts about one person
HOLDS: tuple[Holds, ...] = ("counts", "rows", "subjects")
Cell = Any  # any JSON value that fits a table cell: text, a number, true or false, null


@dataclass(frozen=True)
class Action:
    """A command offered as a button."""

    command: str
    label: str = ""

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", self.command)


@dataclass(frozen=True)
class Attachment:
    """A picture, a PDF or another file that comes with an answer."""

    kind: Literal["image", "pdf", "file"]
    title: str
    content: bytes
    name: str


@dataclass(frozen=True)
class Step:
    """One layer of a run: its line is told when it has ended, and edited in place until then."""

    name: str
    text: str
    state: Literal["waiting", "running", "done", "failed", "skipped"]

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "skipped")


@dataclass(frozen=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def right_aligned(self) -> list[bool]:
        """Which columns hold numbers alone, numbers written as text included."""
        return [
            any(_filled(row[i]) for row in self.rows) and all(_number(row[i]) for row in self.rows if _filled(row[i]))
            for i in range(len(self.columns))
        ]


def _filled(value: Cell) -> bool:
    return value is not None and value not in ("", "–")


def _number(value: Cell) -> bool:
    if isinstance(value, bool):
        return False
    try:
        Decimal(str(value).replace(",", "").removeprefix("#").removesuffix(" s").removesuffix(" %"))
    except InvalidOperation:
        return False
    return True


@dataclass
class Reply:
    """One answer: a title and the steps of what runs, then the text, a table, files and the next commands.

    `ok` is whether Atlas did what was asked, `understood` whether it knew what that was, `going` whether this is an
    update of something that goes on. `holds` is what it shows of the data, and so who may see it; it has no default,
    so that nothing is shown in a channel because somebody forgot to say what it holds.
    """

    text: str = ""
    title: str = ""
    steps: Sequence[Step] = ()
    table: Table | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    attachments: Sequence[Attachment] = ()
    next: Iterable[str | Action] = ()
    ok: bool = True
    understood: bool = True
    going: bool = False
    holds: Holds = field(kw_only=True)

    @property
    def actions(self) -> list[Action]:
        seen = dict.fromkeys(a if isinstance(a, Action) else Action(a) for a in self.next)
        return list(seen)

    @property
    def exit_code(self) -> int:
        """0 = done, 1 = Atlas refused or failed, 2 = not understood."""
        return 2 if not self.understood else 0 if self.ok else 1


def misread(text: str, *suggestions: str | Action) -> Reply:
    """The answer to what was not understood; the suggestions become buttons.

    No channel sees it: it may repeat what somebody typed, which may be anything, and nobody else sees a command that is
    typed in a channel.
    """
    return Reply(text, next=suggestions, ok=False, understood=False, holds="subjects")
