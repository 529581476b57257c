"""Read records from a REST API that answers in JSON, page by page.

A key of a nested object becomes a column of its own, `address.city` the column `address_city`; a list stays JSON text.
Numbers stay as they are written, an empty text is null, and a key that a record lacks is null there. A record that is
no object is rejected with its number.
With `cursor`, later runs ask for what has come since the highest value that was published, in the parameter `since`; a
time is sent ten minutes earlier, for a record may show up late.
Only the hosts of `url` and `allow` are reached, at public addresses.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from connectors._addresses import PORTS, Address, Resolve, address, host, resolve
from connectors._calls import Answer, Caller, basic, bearer, sendable
from connectors._envelope import Told, failure, told
from connectors._json import PATH, Flat, found, parse, written
from connectors._pages import PAST_THE_END, Pages, Pagination, asking
from core.errors import SourceUnavailable, SourceUnreadable
from core.models import LINE, Rejects, Remark, SourcePart
from core.pipeline import Column, Strict
from core.secrets import Secret
from core.settings import Settings

BATCH_ROWS = 1 << 14
BATCH_BYTES = 16 << 20
LATE = timedelta(minutes=10)
RECORDS_NAME_THEIR_COLUMNS = True  # that a few of them lack a key says nothing of the source
TYPED = True  # 1.234 is a little more than 1: numbers and times are written as JSON has them
LATER_IS_NEWER = True  # two records with one key: the list moved while it was read, or was asked for again
_NAMES_A_RECORD = re.compile(r"(?i:(?:.*[^a-z])?(?:id|uuid|guid|key|number|nr|no|code))|.*[a-z]I[dD]")


class Basic(Strict):
    user: str = Field(pattern=r"^[^:\x00-\x1f]+$")
    password: Secret


class Header(Strict):
    name: str = Field(pattern=r"^[A-Za-z0-9-]+$")
    value: Secret

    @field_validator("name")
    @classmethod
    def is_not_of_http_itself(cls, name: str) -> str:
        if re.match(r"(?:host|connection|content|transfer|te$|trailer|upgrade|expect|accept|proxy|keep)", name.lower()):
            raise ValueError("is a header that HTTP itself needs; write the one that carries the key: X-Api-Key")
        return name


class Auth(Strict):
    """How the source knows who asks: one of these."""

    bearer: Secret | None = None
    basic: Basic | None = None
    header: Header | None = None

    @model_validator(mode="after")
    def one(self) -> "Auth":
        if [self.bearer, self.basic, self.header].count(None) != 2:
            raise ValueError('is one of bearer, basic and header: {bearer: "${secret:NAME}"}')
        return self

    def credentials(self, to: Address) -> tuple[str, str]:
        """The header that is sent; it holds the secret. Raises Misconfigured if this host may not receive it."""
        place = to.scheme, to.host, to.port
        if self.bearer is not None:
            return "Authorization", sendable(bearer(self.bearer.for_host(*place)), self.bearer.name)
        if self.basic is not None:
            return "Authorization", basic(self.basic.user, self.basic.password.for_host(*place))
        assert self.header is not None
        return self.header.name, sendable(self.header.value.for_host(*place), self.header.value.name)


def _is_address(url: str) -> str:
    address(url)
    return url


def _is_place(written: str) -> str:
    name, colon, port = written.rpartition(":")
    if colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        host(name)
    else:
        host(written)
    return written


class Source(Strict):
    """`records` leads to the list, as `$.a.b` does; `allow` names other hosts that the source may lead to, with their
    port if it is not that of http or https. `cursor` is the column that says when a record was changed, `since` the
    parameter by which the API is asked for records changed since then. `total` leads to the number of all records,
    where it does not stand in a usual place; `none` if that number means something else."""

    connector: Literal["rest"]
    url: Annotated[str, AfterValidator(_is_address)]
    records: str = Field("$", pattern=PATH)
    pagination: Pagination | None = None
    auth: Auth | None = None
    cursor: Column | None = None
    since: str = Field("since", pattern=r"^[\x21-\x7e]+$")
    allow: list[Annotated[str, AfterValidator(_is_place)]] = Field([])
    max_pages: int = Field(10_000, ge=1)
    total: str | None = Field(None, pattern=rf"{PATH}|^none$")

    _private: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def hears_what_is_allowed(self, info: ValidationInfo) -> "Source":
        if isinstance(info.context, Settings):
            self._private = info.context.private_sources
        return self

    @property
    def private(self) -> tuple[str, ...]:
        """What the installation lets sources reach although it is not public."""
        return self._private


def place(source: Source) -> str:
    """What all sources on one host share: it is not asked for too much at once."""
    return f"rest {address(source.url).host}"


def check(source: Source) -> None:
    """Raises Misconfigured if the host of `url` may not receive the secret."""
    if source.auth:
        source.auth.credentials(address(source.url))


def parts(source: Source, base: Path, since: str | None = None) -> list[SourcePart]:  # noqa: ARG001 (one shape for all)
    """One: which page follows is known only when one has come."""
    return [SourcePart(address(source.url).name, {} if since is None else {"since": _earlier(since)})]


def read(
    source: Source,
    part: SourcePart,
    resolve: Resolve = resolve,
) -> Iterator[pa.RecordBatch | Rejects | Remark]:
    """Batches of some ten thousand rows with the number of each record; empty ones between, so that a run can stop."""
    since = part.spec.get("since")
    start = address(source.url)
    if since is not None:
        start = asking(start, {source.since: since})
    auth = source.auth
    caller = Caller(start, _allowed(source), source.private, lambda to: auth.credentials(to) if auth else None, resolve)
    flat = Flat(start.name)
    line = good = 0
    with closing(caller):
        for records in _pages(source, start, caller):
            if isinstance(records, Remark):
                yield records
                continue
            wrong = Rejects([], [], [])
            for record in records:
                line += 1
                why = flat.add(record, line) if isinstance(record, dict) else "is no object"
                if why is None:
                    good += 1
                else:
                    wrong.lines.append(line)
                    wrong.reasons.append(why)
                    wrong.raw.append(_raw(record))
                if len(flat) >= BATCH_ROWS or flat.size >= BATCH_BYTES:
                    yield flat.batch()
            if wrong.lines:
                yield wrong
            yield pa.RecordBatch.from_arrays([pa.array([], pa.int64())], names=[LINE])
    if not good and (line or since is None):
        what = "has no records: its list is empty" if not line else "has no record that is an object"
        raise SourceUnreadable(
            f"`{start.name}` {what}.", hint="Look at `records`, at the filter in `url`, and at what the token may see."
        )
    yield flat.batch()


def _pages(source: Source, start: Address, caller: Caller) -> Iterator[list[object] | Remark]:
    """The records of each page, an empty list where only time has passed, and what there is to say of them."""
    pages = Pages(source.pagination, start)
    at: Address | None = pages.first()
    asked: set[Address] = set()
    seen: set[bytes] = set()
    before: set[bytes] = set()
    while at is not None:
        if at in asked:
            raise _endless(start, "leads back to a page that was read before")
        if len(asked) == source.max_pages:
            raise SourceUnreadable(
                f"`{start.name}` has more than {source.max_pages} pages.",
                hint="If it has so many, raise `max_pages` of the source, or ask for larger pages.",
            )
        asked.add(at)
        caller.check(at)
        for answer in caller.get(at, pages.ends):
            if answer is None:
                yield []
                continue
            document, records, said = _read(source, answer, start, first=len(asked) == 1)
            if records and source.pagination:
                here = [hashlib.sha256(_text(record)).digest() for record in records]
                digest = hashlib.sha256(b"".join(here)).digest()
                if digest in seen:
                    raise _endless(start, "answers with the same page again")
                seen.add(digest)
                twice = [n for n, one in enumerate(here) if one in before]
                before = set(here)
                if twice:
                    yield _doubled(records, twice)
            gap = answer.status in PAST_THE_END
            at = pages.after(document, len(records), said, answer.at, answer.next, caller.linked, gap)
            yield records
    yield pages.remark()


def _read(source: Source, answer: Answer, start: Address, first: bool) -> tuple[object, list[object], Told]:
    """What stands in a page: all of it, its records, and what it tells of the whole list."""
    if answer.status != 200:
        return None, [], Told()
    document = parse(answer.body, start.name)
    there, listed = found(document, source.records)
    many = len(listed) if isinstance(listed, list) else 0
    if key := failure(document, source.records, many):
        # an error of the first page will come again; a later page may be well in a minute
        error = SourceUnreadable if first else SourceUnavailable
        raise error(
            f"`{start.name}` answers 200, and `{key}` in the answer says that something failed.",
            hint="Open it with the same token, and ask its owner what is meant.",
        )
    if not (there and listed is None) and not isinstance(listed, list):
        what = "is no list" if there else "is not there"
        raise SourceUnreadable(
            f"`{source.records}` {what} in the answer of `{start.name}`.",
            hint='Write where its list is: records: "$.items"',
        )
    said = told(document, source.records, many, source.total, answer.header, answer.next)
    if source.pagination is None and said.more:
        raise SourceUnreadable(
            f"`{start.name}` has more pages, as {said.more} in its answer says, and only this one would be read.",
            hint="Say how to ask for the next one, by page, offset, cursor or link: pagination: {by: page}",
        )
    return document, listed or [], said


def _doubled(records: Sequence[object], twice: Sequence[int]) -> Remark:
    """Records that stood on the page before, too: for sure the same ones if something in them names them."""
    named = any(isinstance(r := records[n], dict) and any(map(_NAMES_A_RECORD.fullmatch, r)) for n in twice)
    return Remark(
        "records of one page came again on the next, so the list moved while it was read, or some are hidden",
        doubt=named,
    )  # fmt: skip


def _text(record: object) -> bytes:
    """A record as text that tells it from others."""
    try:
        text = json.dumps(record)
    except RecursionError:
        text = written(record)
    return text.encode("utf-8", "surrogatepass")


def _earlier(value: str) -> str:
    """A time in ISO 8601 ten minutes before, any other value as it is."""
    if not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", value):
        return value
    earlier = (datetime.fromisoformat(value) - LATE).isoformat(sep=value[10])
    return earlier.removesuffix("+00:00") + "Z" if value.endswith("Z") else earlier


def _endless(start: Address, what: str) -> SourceUnreadable:
    return SourceUnreadable(f"`{start.name}` {what}: its pages would never end.", hint="Correct `pagination`.")


def _raw(record: object) -> str:
    return written(record).encode("utf-8", "backslashreplace").decode()


def _allowed(source: Source) -> set[tuple[str, int]]:
    places: set[tuple[str, int]] = set()
    for item in source.allow:
        name, colon, port = item.rpartition(":")
        if colon and port.isdigit():
            places.add((host(name), int(port)))
        else:
            places |= {(host(item), known) for known in PORTS.values()}
    return places
