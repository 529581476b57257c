"""What a route may be asked with, beside its body: names, pages, times."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

LARGEST = 2**31 - 1  # the largest whole number that the database can hold
_PRINTABLE = r"^[^\x00-\x1f]+$"
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _in_rfc_3339(value: Any) -> Any:
    """Only what the document promises: a library would take seconds since 1970, too."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("is no time; write one like 2026-03-02T05:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:  # a few hours beyond the first or the last year there is
        return value.replace(tzinfo=UTC)


Name = Annotated[str, Path(max_length=255, pattern=_PRINTABLE, description="Its name.")]
Word = Annotated[str, Query(max_length=255, pattern=_PRINTABLE)]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
After = Annotated[int | None, Query(ge=1, le=LARGEST, description="The `next` of the page before.")]
AfterName = Annotated[
    str | None, Query(max_length=255, pattern=_PRINTABLE, description="The `next` of the page before.")
]
Moment = Annotated[AwareDatetime, BeforeValidator(_in_rfc_3339), AfterValidator(_in_utc)]
AllUsers = Annotated[bool, Query(alias="all", description="Everybody's, for an administrator.")]
