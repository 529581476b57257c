"""What an answer says beside its records: that something failed, how many there are, that more follow."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors._json import Number, found

_FAILURES = {"error", "errors", "fault", "faults"}
_PARTIAL = {"incompleteresults", "timedout", "partial", "ispartial"}
_WELL = {"success", "ok", "issuccess", "succeeded"}
_STATES = {"error", "fail", "failed", "failure"}
_FINE = {"", "0", "200", "no", "none", "null", "nil", "false", "ok", "success"}
_TOTALS = {
    "total", "totalcount", "totalresults", "totalitems", "totalrecords", "totalelements", "totalrows", "totalhits",
    "totalsize", "numfound", "recordcount", "recordstotal", "odatacount",
}  # fmt: skip
_PLAIN = {"total", "count", "recordcount", "totalsize"}  # a sum of money may be called so, too
_PAGES = {"totalpages", "pagecount", "numpages", "nbpages", "lastpage", "pagestotal"}
_OF_A_LIST = {
    "page", "perpage", "pagesize", "pagenumber", "currentpage", "limit", "offset", "skip", "start", "startat",
    "maxresults", "next", "previous", "prev", "nextpage", "nextcursor", "nextpagetoken", "hasmore", "hasnext", "cursor",
    "links", "number", "size", "odatanextlink", *_PAGES,
}  # fmt: skip
_PARTS = ("meta", "metadata", "_meta", "pagination", "paging", "page", "pageInfo", "page_info", "paging_info")
_MORE = ("next", "next_page", "nextPage", "next_cursor", "nextCursor", "next_page_token", "nextPageToken", "next_url",
         "next_link", "nextLink", "@odata.nextLink", "has_more", "hasMore", "has_next", "hasNext",
         "hasNextPage")  # fmt: skip
_HEADERS = ("x-total-count", "x-total", "x-wp-total")
_HEADERS_OF_PAGES = ("x-total-pages", "x-wp-totalpages")


@dataclass(frozen=True)
class Told:
    """How many records and pages the whole list has, as an answer says, and by what it says that more follow.

    None where it says nothing.
    """

    records: int | None = None
    pages: int | None = None
    more: str | None = None


def failure(document: Any, path: str, records: int) -> str | None:
    """The key by which an answer says that something failed, for people; None if all is well.

    It is looked for around the list and never in a record. Numbers and states may be data of the thing that holds the
    list, so they count for nothing where records came with them.
    """
    for about in _around(document, path):
        for key, value in about.items():
            name = _plain(key)
            if name in _FAILURES and not (records and isinstance(value, Number)) and _says_something(value):
                return key
            if (name in _WELL and value is False) or (name in _PARTIAL and value is True):
                return key
            if name == "status" and isinstance(value, str) and value.casefold() in _STATES and (
                not records or any(_plain(other) == "message" for other in about)
            ):  # fmt: skip
                return key
            if not records and name in ("status", "statuscode", "code") and _number(value) in range(400, 600):
                return key
            if not records and name in ("errorcode", "errormessage") and _says_something(value):
                return key
    return None


def told(
    document: Any, path: str, records: int, where: str | None, header: Callable[[str], str], link: str | None
) -> Told:
    """What the answer says at `where`, or in the usual places; nothing is looked at if that is `none`."""
    if where == "none":
        return Told()
    follows = _more(document, path, link)
    if where is not None:
        return Told(_number(found(document, where)[1], text=True), None, follows)
    pages = next((n for name in _HEADERS_OF_PAGES if (n := _number(header(name), text=True))), None)
    total = next((n for name in _HEADERS if (n := _number(header(name), text=True)) is not None), None)
    for about, inside in _places(document, path):
        names = {_plain(key): value for key, value in about.items()}
        plain = {"pages"} if inside or _OF_A_LIST & names.keys() else set[str]()  # else a book may have them
        pages = pages or next((n for name in (*_PAGES, *plain) if (n := _number(names.get(name)))), None)
        if total is None:
            total = _total(names, records, inside)
    return Told(total or (None if records else total), pages, follows)  # 0 beside records: it was not counted


def _more(document: Any, path: str, link: str | None) -> str | None:
    if link:
        return 'the header `Link: rel="next"`'
    linked = [about["links"] for about in _around(document, path) if isinstance(about.get("links"), dict)]
    for about in [*(about for about, _ in _places(document, path)), *linked]:
        for key in _MORE:
            value = about.get(key)
            if value is True or (value and isinstance(value, str) and not isinstance(value, Number)):
                return f"`{key}`"
    return None


def _total(names: Mapping[str, Any], records: int, inside: bool) -> int | None:
    for name in sorted(_TOTALS & names.keys()):
        value = names[name]
        if isinstance(value, dict):  # as Elasticsearch writes it; the others of its relations are no counts
            value = value.get("value") if value.get("relation", "eq") == "eq" else None
        if (number := _number(value)) is None:
            continue
        others = [v for k, v in names.items() if k not in _TOTALS and not isinstance(v, list)]
        if name not in _PLAIN or inside or _OF_A_LIST & names.keys() or not others:
            return number
    number = _number(names.get("count"))
    # `count` is the size of the page, unless it is larger and stands beside a link to the next page
    return number if number is not None and number > records and names.keys() & {"next", "previous"} else None


def _around(document: Any, path: str) -> Iterator[dict[str, Any]]:
    """The objects that hold the list, outermost first."""
    for key in [*path.removesuffix("[*]").split(".")[1:], ""]:
        if not isinstance(document, dict):
            return
        yield document
        document = document.get(key)


def _places(document: Any, path: str) -> Iterator[tuple[dict[str, Any], bool]]:
    """The objects that may tell of the list as a whole, and whether they are for nothing else."""
    for about in _around(document, path):
        for name in _PARTS:
            if isinstance(about.get(name), dict):
                part = about[name]
                yield part, True
                if isinstance(part.get("pagination"), dict):
                    yield part["pagination"], True
        yield about, False


def _says_something(value: Any) -> bool:
    """Whether something stands in a value that is not zero, no or nothing, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            code = next((v for k, v in one.items() if _plain(k) in ("code", "errorcode", "status")), None)
            if not (isinstance(code, str) and code in ("0", "200")):
                waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif one is True or (isinstance(one, str) and one.strip().casefold() not in _FINE):
            return True
    return False


def _plain(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.casefold())


def _number(value: Any, text: bool = False) -> int | None:
    known = isinstance(value, Number) or (text and isinstance(value, str))
    return int(value) if known and re.fullmatch(r"[0-9]{1,15}", value) else None
