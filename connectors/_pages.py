"""How a list is cut into pages: which address follows which, and where it ends."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import Field, model_validator

from connectors._addresses import Address
from connectors._envelope import Told
from connectors._json import PATH, found
from core.errors import SourceUnavailable, SourceUnreadable
from core.models import Remark
from core.pipeline import Strict

MOST_EMPTY = 10  # pages without a record, one after the other, that are passed where more records are said to come
PAST_THE_END = frozenset({404, 410, 416})  # statuses that servers answer for a page after the last
_PAST_THE_TOTAL = PAST_THE_END | {400, 422}  # the same, if all that there are have come
_TOTAL = "If that number counts others too, hidden ones for example, write where the right one is, or: total: none"


class Pagination(Strict):
    """`by` what the next page is asked for.

    page, offset: `parameter` counts pages or records from `first`, until two pages are empty, or one after as many
    records as the answers tell of. cursor: `next` leads to a token for `parameter`, or without that to an address,
    until there is none. link: the header `Link`, likewise.
    """

    by: Literal["page", "offset", "cursor", "link"]
    parameter: str | None = Field(None, pattern=r"^[\x21-\x7e]+$")
    first: int | None = Field(None, ge=0)
    size: int | None = Field(None, ge=1)  # records of a page, sent as `size_parameter`
    size_parameter: str | None = Field(None, pattern=r"^[\x21-\x7e]+$")
    next: str | None = Field(None, pattern=PATH)

    @model_validator(mode="after")
    def fits_together(self) -> "Pagination":
        if (self.by == "cursor") != (self.next is not None):
            raise ValueError('`next` belongs to `by: cursor`, which needs it: {by: cursor, next: "$.next"}')
        if self.by == "link" and self.parameter:
            raise ValueError("`by: link` follows the header alone; leave `parameter` out")
        if self.by in ("cursor", "link") and self.first is not None:
            raise ValueError("`first` belongs to `by: page` and `by: offset`")
        if (self.size is None) != (self.size_parameter is None):
            raise ValueError("`size` and `size_parameter` belong together: {size: 100, size_parameter: per_page}")
        return self


class Pages:
    """The way from one page to the next, and what the answers tell of the whole list."""

    def __init__(self, how: Pagination | None, start: Address) -> None:
        self._how, self._start = how, start
        usual = 1 if how is not None and how.by == "page" else 0
        self._count = usual if how is None or how.first is None else how.first
        self._counts = how is not None and how.by in ("page", "offset")
        self._came = self._pages = self._longest = 0  # records, pages, and the records of the longest page
        self._empty = 0  # pages without a record since the last one with some
        self._gap = False  # a page that the server said is not there
        self._told: list[int] = []  # how many records the answers told of, in turn
        self._told_pages = 0
        self._of_page = True  # whether the number told has always been that of the records on the page

    def first(self) -> Address:
        if self._how is None:
            return self._start
        sized = {self._how.size_parameter: str(self._how.size)} if self._how.size_parameter else {}
        self._start = asking(self._start, sized)
        return self._counted() if self._counts else self._start

    @property
    def ends(self) -> frozenset[int]:
        """The statuses that say of the page to come that it is after the last."""
        if not self._counts or not self._pages:
            return frozenset()
        return _PAST_THE_TOTAL if self._empty or (self._told and self._reached()) else PAST_THE_END

    def after(
        self, document: Any, records: int, told: Told, at: Address, link: str | None,
        linked: Callable[[str, Address], Address], gap: bool = False,
    ) -> Address | None:  # fmt: skip
        """The address of the next page, None at the end. Raises if records were lost on the way.

        `gap`: the server said that this page is not there.
        """
        if self._gap and records:
            raise SourceUnreadable(
                f"`{self._start.name}` says of a page that it is not there, and the next one has records.",
                hint="Ask its owner; try again later.",
            )
        self._heard(records, told)
        self._gap = gap
        if self._how is None:
            return None
        if self._counts:
            return self._next(records, told)
        if self._how.by == "link" and link:
            return linked(link, at)
        token = found(document, self._how.next or "$")[1] if self._how.by == "cursor" else None
        if token is None or token is False or token == "":
            self._is_the_last(told)
            return None
        if not isinstance(token, str):
            raise SourceUnreadable(
                f"`{self._how.next}` in the answer of `{self._start.name}` is neither text nor a number.",
                hint="Correct `pagination.next`.",
            )
        if self._how.parameter:
            return asking(self._start, {self._how.parameter: token})
        return linked(token, at)

    def remark(self) -> Remark:
        """How many records there are by the answers, for the key to be compared with. Raises SourceUnreadable.

        A list that grows while it is read tells of more in the end: the least number told must have come.
        """
        if self._told and self._came < min(self._told):
            raise self._short(f"{min(self._told):,} records", f"gives {self._came:,}")
        if not self._told and self._told_pages > self._pages and (self._how is None or self._how.by != "offset"):
            raise self._short(f"{self._told_pages:,} pages", f"gives {self._pages - self._empty:,}")
        if self._told and self._came > max(self._told):
            tells = f"it tells of {max(self._told):,} records and gives {self._came:,}"
            return Remark(f"{tells}, so some may have come twice", records=min(self._told), doubt=True)
        return Remark(records=min(self._told) if self._told else None)

    def _is_the_last(self, told: Told) -> None:
        """Raises SourceUnreadable if the page says that another follows, in another place than the one looked at."""
        assert self._how is not None
        if told.more:
            place = {"link": "the header `Link`", "cursor": f"`{self._how.next}`"}.get(self._how.by, "counting")
            raise SourceUnreadable(
                f"`{self._start.name}` says by {told.more} that more pages follow, and {place} does not lead to them.",
                hint="Correct `pagination`. If the answers always say so, to the end: total: none",
            )

    def _short(self, tells: str, gives: str) -> SourceUnreadable:
        first = "Look at `pagination`." if self._how else "Say by `pagination` how to get further pages."
        return SourceUnreadable(f"`{self._start.name}` tells of {tells} and {gives}.", hint=f"{first} {_TOTAL}")

    def _heard(self, records: int, told: Told) -> None:
        self._pages += 1
        self._of_page = self._of_page and (not records or told.records == records)
        self._came += records
        self._longest = max(self._longest, records)
        self._empty = 0 if records else self._empty + 1
        self._told_pages = max(self._told_pages, told.pages or 0)
        if self._of_page and self._came > records > 0:
            self._told = []  # each page told of itself
        if told.records is None or (self._of_page and self._came > records):
            return
        if self._counts and records and self._told and told.records < self._told[-1]:
            raise SourceUnavailable(
                f"The list of `{self._start.name}` became shorter while it was read: a record may have been passed.",
                hint=f"Run again when fewer are deleted, or page by a cursor. {_TOTAL}",
            )
        if records or not self._told:
            self._told.append(told.records)

    def _next(self, records: int, told: Told) -> Address | None:
        assert self._how is not None
        known = bool(self._told or self._told_pages)
        if not records and known and self._reached():
            return None
        if not records and self._empty > (MOST_EMPTY if known or told.more else 1):
            self._is_the_last(told)
            return None
        # by as many as came: where some are hidden, a few come twice and none is passed
        step = 1 if self._how.by == "page" else records or self._how.size or self._longest
        self._count += step
        return self._counted() if step else None

    def _reached(self) -> bool:
        """Whether as many records or pages have come as are told of."""
        if self._told:
            return self._came >= min(self._told)
        return self._how is None or self._how.by != "page" or self._pages >= self._told_pages

    def _counted(self) -> Address:
        assert self._how is not None
        return asking(self._start, {self._how.parameter or self._how.by: str(self._count)})


def asking(at: Address, parameters: dict[str, str]) -> Address:
    """The address with these parameters in its query, in place of those of the same name."""
    if not parameters:
        return at
    path, _, query = at.target.partition("?")
    kept = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if k not in parameters]
    return replace(at, target=f"{path}?{urlencode([*kept, *parameters.items()])}")
