"""Every cell of the table of roles and routes holds, and a right that is missing in the code is seen."""

from fastapi import FastAPI
from fastapi.routing import APIRouter

from api.main import create_app
from engine.home import Home
from tests.api import rights


def app(home: Home) -> FastAPI:
    return create_app(home, lambda: None)


def test_every_role_may_call_what_the_table_says_and_nothing_else(home: Home) -> None:
    rows = rights.table()
    assert sorted(rights.wrong(app(home), home, rows)) == []
    assert len(rows) >= 28


def test_a_new_route_without_a_row_or_a_right_is_seen(home: Home) -> None:
    made, router = app(home), APIRouter()

    @router.get("/api/v1/backdoor")
    def backdoor() -> None:
        """Open to the world."""

    made.include_router(router)
    rows = rights.table()
    assert list(rights.wrong(made, home, rows)) == ["GET /api/v1/backdoor: has no row in rights.tsv"]
    rows["GET /api/v1/backdoor"] = rows["GET /api/v1/me"]
    assert list(rights.wrong(made, home, rows)) == ["GET /api/v1/backdoor: nobody no, answered 200"]


def test_a_row_without_a_route_is_seen(home: Home) -> None:
    rows = rights.table()
    rows["GET /api/v1/gone"] = rows["GET /api/v1/me"]
    assert list(rights.wrong(app(home), home, rows)) == ["GET /api/v1/gone: has a row and is no route"]


def test_each_right_that_is_switched_off_is_seen(home: Home) -> None:
    """Takes the right from one route after the other, as if somebody had forgotten to write it."""
    made = app(home)
    there = rights.routes(made)
    unseen = []
    for name, row in rights.table().items():
        denied = [role for role, cell in row.items() if cell == "no" and role != rights.NOBODY]
        if not denied:
            continue
        for declared in there[name].dependant.dependencies:
            scopes, declared.own_oauth_scopes = declared.own_oauth_scopes, []
            told = [line.partition(",")[0] for line in rights.wrong(made, home, {name: row}) if "no row" not in line]
            declared.own_oauth_scopes = scopes
            if scopes and told != [f"{name}: {role} no" for role in denied]:
                unseen.append(name)
    assert unseen == ["GET /api/v1/gdpr/report"]  # it asks again, for each dataset
