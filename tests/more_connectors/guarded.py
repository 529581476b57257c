"""Read a CSV over HTTP from a server that asks for a token: a connector with secrets, for tests."""

import csv
import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pyarrow as pa
from pydantic import Field

from core.errors import SourceUnavailable
from core.models import LINE, Rejects, SourcePart
from core.pipeline import Strict
from core.secrets import Secret


class Auth(Strict):
    bearer: Secret


class Source(Strict):
    connector: Literal["guarded"]
    url: str
    auth: Auth
    passwords: list[Secret] = Field([])


def parts(source: Source, base: Path) -> list[SourcePart]:
    return [SourcePart("guarded", {"url": source.url})]


def read(source: Source, part: SourcePart) -> Iterator[pa.RecordBatch | Rejects]:
    request = urllib.request.Request(part.spec["url"])
    at = urlsplit(part.spec["url"])
    token = source.auth.bearer.for_host(at.scheme, at.hostname or "", at.port or 80)
    request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        raise SourceUnavailable(f"`{part.name}` answered {error.code} to {source.auth!r}.") from error
    names, *rows = csv.reader(io.StringIO(text))
    columns = [pa.array([row[n] for row in rows], pa.string()) for n in range(len(names))]
    yield pa.RecordBatch.from_arrays([*columns, pa.array(range(2, len(rows) + 2), pa.int64())], names=[*names, LINE])
