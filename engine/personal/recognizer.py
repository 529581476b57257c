"""What a recognizer is, and all there are. It scores columns of values and finds its kind in sentences."""

import re
from collections.abc import Callable
from functools import cache

import polars as pl

from core import parts
from engine.personal import spans

Score = Callable[[pl.Series], pl.Series]


class Recognizer:
    """One kind of personal data. `presidio.EntityOf` makes it one of Presidio's recognizers.

    `score` says of each whole cell, knowing nothing else, how sure it is of this kind (0: cannot be).
    `header` and `weak_header` are what column names of it hold, `not_header` what speaks against it.
    `span` finds it inside free text, `judge` weighs each find by what stands around it; a text without what it `needs`
    is not searched for it.
    `sure` is the narrower pattern that holds in any column, whatever the column is.
    `frame` is the wider form that this kind is part of, and the share of it that is of this kind by chance.
    """

    def __init__(
        self,
        type_: str,
        *,
        rank: int,
        score: Score,
        header: str,
        weak_header: str = r"\A\z",
        not_header: str = r"\A\z",
        span: str | None = None,
        needs: str | None = None,
        judge: spans.Judge | None = None,
        sure: str | None = None,
        personal: bool = True,
        action: str = "hash",
        options: dict[str, str] | None = None,
        family: str = "text",
        canonical: Score | None = None,
        checksum: tuple[str, float, Score] | None = None,
        frame: tuple[str, float] | None = None,
    ) -> None:
        self.type, self.rank, self.score, self.personal = type_, rank, score, personal
        self.needs = needs
        self.span, self.sure, self.judge = span, sure, judge or (lambda _before, value, _after: score(value))
        self.action, self.options = action, options or {}
        self.family, self.canonical, self.checksum = family, canonical, checksum
        self.frame = frame
        self._headers = [
            (weight, re.compile(words.replace(r"\z", r"\Z")))
            for weight, words in ((-3.0, not_header), (3.0, header), (1.5, weak_header))
        ]

    def header_weight(self, words: str) -> float:
        """What a column name says, as log odds: 3 names this kind, 1.5 could, 0 nothing, -3 names another."""
        return next((weight for weight, pattern in self._headers if pattern.search(words)), 0.0)

    def find(self, text: str) -> list[tuple[int, int, float]]:
        """Where it is in one text, and how sure that is: by the same pattern and judgement as for columns."""
        return [found for found in spans.positions(text, self.span, self.judge) if found[2] > 0] if self.span else []


@cache
def recognizers() -> tuple[Recognizer, ...]:
    """All recognizers there are, the surest first."""
    loaded = (parts.load("recognizer", name).recognizer for name in parts.names("recognizer"))
    return tuple(sorted(loaded, key=lambda r: r.rank))


@cache
def recognizer(type_: str) -> Recognizer:
    return next(r for r in recognizers() if r.type == type_)
