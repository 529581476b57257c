"""Who may call what, as somebody wrote it down by hand in `rights.tsv`, held against a running API."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from api.main import IN_PROCESS
from engine.home import Home
from engine.store import access

TABLE = Path(__file__).parent / "rights.tsv"
NOBODY, CHAT = "nobody", "chat"


def table() -> dict[str, dict[str, str]]:
    """METHOD PATH -> yes or no by role, and by `nobody` for calls without a token."""
    found = _rows()
    for row in found.values():
        del row[CHAT]
    return found


def in_chat() -> set[str]:
    """METHOD PATH of what a bot may call on behalf of somebody who may call it themselves."""
    return {route for route, row in _rows().items() if row[CHAT] == "yes"}


def _rows() -> dict[str, dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    found = {row.pop("route"): row for row in rows}
    assert len(found) == len(rows), "a route has two rows"
    assert all(cell in ("yes", "no") for row in found.values() for cell in row.values())
    assert all(list(row) == [NOBODY, *access.ROLES, CHAT] for row in found.values())
    return found


def routes(app: FastAPI) -> dict[str, Any]:
    """METHOD PATH -> route of everything that the app answers to."""
    return {
        f"{method} {route.path_format}": route
        for route in iter_route_contexts(app.routes)
        for method in sorted((route.methods or {"GET"}) - {"HEAD"})
    }


def wrong(app: FastAPI, home: Home, rows: dict[str, dict[str, str]]) -> Iterator[str]:
    """Every cell of the table that does not hold, in words, and what stands in one of both only."""
    there = routes(app)
    yield from (f"{route}: has no row in {TABLE.name}" for route in there.keys() - rows.keys())
    yield from (f"{route}: has a row and is no route" for route in rows.keys() - there.keys())
    for route in there.keys() & rows.keys():
        for role, cell in rows[route].items():
            status = _status(app, home, route, role)
            if role == NOBODY:
                holds = (status == 401) == (cell == "no") and status != 403
            else:
                holds = status == 403 if cell == "no" else status not in (401, 403)
            if not holds:
                yield f"{route}: {role} {cell}, answered {status}"


def _status(app: FastAPI, home: Home, route: str, role: str) -> int:
    """What a call with nothing in it answers; the token is new, for a call may end the tokens of its caller."""
    method, path = re.sub(r"\{[^}]*\}", "1", route).split(" ", 1)
    headers = {}
    if role != NOBODY:
        with home.database.write() as db:
            headers["Authorization"] = f"Bearer {access.issue(db, access.user(db, role), 60)}"
    client = TestClient(app, base_url=IN_PROCESS, headers=headers, raise_server_exceptions=False)
    return client.request(method, path).status_code
