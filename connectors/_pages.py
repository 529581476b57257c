"""How a list is cut into pages: which address follows which, and where it ends."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import Field, model_validator

from connectors._addresses import Address
from connectors._json import PATH, found
from core.errors import SourceUnreadable
from core.pipeline import Strict


class Pagination(Strict):
    """`by` what the next page is asked for.

    page, offset: `parameter` counts pages or records from `first`, until a page is empty. cursor: `next` leads to a
    token for `parameter`, or without that to an address, until there is none. link: the header `Link`, likewise.
    """

    by: Literal["page", "offset", "cursor", "link"]
    parameter: str | None = Field(None, pattern=r"^[\x21-\x7e]+$")
    first: int | None = Field(None, ge=0)
    size: int | None = Field(None, ge=1)  # of a page, asked for as `size_parameter`
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
    """The way from one page to the next."""

    def __init__(self, how: Pagination | None, start: Address) -> None:
        self._how, self._start = how, start
        usual = 1 if how is not None and how.by == "page" else 0
        self._count = usual if how is None or how.first is None else how.first

    def first(self) -> Address:
        if self._how is None:
            return self._start
        sized = {self._how.size_parameter: str(self._how.size)} if self._how.size_parameter else {}
        self._start = asking(self._start, sized)
        return self._counted() if self._how.by in ("page", "offset") else self._start

    def after(
        self, document: Any, records: int, at: Address, link: str | None, linked: Callable[[str, Address], Address]
    ) -> Address | None:
        """The address of the next page, None at the end."""
        if self._how is None:
            return None
        if self._how.by in ("page", "offset"):
            self._count += 1 if self._how.by == "page" else records
            return self._counted() if records else None
        if self._how.by == "link":
            return linked(link, at) if link else None
        _, token = found(document, self._how.next or "$")
        if token is None or token is False or token == "":
            return None
        if not isinstance(token, str):
            raise SourceUnreadable(
                f"`{self._how.next}` in the answer of `{self._start.name}` is neither text nor a number.",
                hint="Correct `pagination.next`.",
            )
        if self._how.parameter:
            return asking(self._start, {self._how.parameter: token})
        return linked(token, at)

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
