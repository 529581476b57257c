"""Every write, and every reading of rows or reports, leaves a row in the audit log; a new route is not forgotten."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import IN_PROCESS
from atlas.embedded import Embedded
from core.settings import load
from engine.store import access, audit
from tests.api import rights
from tests.homes import prepare

# of what is asked with another method than GET, these write nothing
READS = {"POST /api/v1/pipelines/validate", "POST /api/v1/pipelines/{name}/validate"}
# these keep what somebody said until it is answered, and where; what comes of it is in the log
SAID = {
    "POST /api/v1/inbox", "POST /api/v1/inbox/take", "POST /api/v1/inbox/hold", "POST /api/v1/inbox/done",
    "PUT /api/v1/memory/{key}",
}  # fmt: skip
# this hands out what is to be sent, under a lease; what comes of it is in the log
HANDS_OUT = {"POST /api/v1/notices/lease"}
# of what is asked with GET, these show rows, subjects, reports, or who did what
SHOWS = {
    "GET /api/v1/models/{name}/rows", "GET /api/v1/gdpr/report", "GET /api/v1/audit", "GET /api/v1/files/{token}",
}  # fmt: skip

BOT = {"Atlas-On-Behalf-Of": "slack:T1:U1"}
LINK = {"platform": "slack", "tenant": "T1", "person": "U2", "user": "bo"}
FILE = {"name": "table.csv", "kind": "text/csv", "content": "YSxiCjEsMgo="}
RULING = {"column": "country", "type": "PERSON"}
LINK_TO = "https://atlas.example.dk/api/v1/files/"
PASSWORD = "koldskål og jordbær"
# route, path, body, headers: in this order each of them works; `{x}` is what an answer before held under `x`
CALLS: list[tuple[str, str, Any, dict[str, str]]] = [
    ("POST /api/v1/runs", "runs", {"pipeline": "orders"}, {}),
    ("POST /api/v1/datasets/{name}/replay", "datasets/orders/replay", None, {}),
    ("POST /api/v1/runs", "runs", {"pipeline": "broken"}, {}),
    ("POST /api/v1/runs/{number}/retry", "runs/{run}/retry", None, {}),
    ("POST /api/v1/datasets/{name}/pii/rulings", "datasets/orders/pii/rulings", RULING, {}),
    ("PUT /api/v1/schedules/{name}", "schedules/orders", {"cron": "0 6 * * *"}, {}),
    ("DELETE /api/v1/schedules/{name}", "schedules/orders", None, {}),
    ("POST /api/v1/alerts/{alert}/ack", "alerts/1/ack", None, {}),
    ("POST /api/v1/alerts/{alert}/snooze", "alerts/1/snooze", {"minutes": 60}, {}),
    ("POST /api/v1/alerts/{alert}/assign", "alerts/1/assign", {"user": "steward"}, {}),
    ("POST /api/v1/alerts/{alert}/resolve", "alerts/1/resolve", None, {}),
    ("PUT /api/v1/datasets/{name}/subscriptions/me", "datasets/orders/subscriptions/me", None, {}),
    ("DELETE /api/v1/datasets/{name}/subscriptions/me", "datasets/orders/subscriptions/me", None, {}),
    ("GET /api/v1/gdpr/report", "gdpr/report", None, {"Accept": "application/json"}),
    ("GET /api/v1/audit", "audit", None, {}),
    ("POST /api/v1/users", "users", {"user": "bo"}, {}),
    ("PATCH /api/v1/users/{user}", "users/bo", {"role": "operator"}, {}),
    ("PUT /api/v1/users/{user}/password", "users/bo/password", {"password": PASSWORD}, {}),
    ("POST /api/v1/auth/token", "auth/token", {"user": "bo", "password": PASSWORD}, {}),
    ("POST /api/v1/auth/refresh", "auth/refresh", {"refresh_token": "{refresh_token}"}, {}),
    ("POST /api/v1/auth/logout", "auth/logout", {"refresh_token": "{refresh_token}"}, {}),
    ("PUT /api/v1/datasets/{name}/grants/{user}", "datasets/orders/grants/bo", {"role": "steward"}, {}),
    ("DELETE /api/v1/datasets/{name}/grants/{user}", "datasets/orders/grants/bo", None, {}),
    ("POST /api/v1/tokens", "tokens", {"name": "x"}, {}),
    ("DELETE /api/v1/tokens/{id}", "tokens/{id}", None, {}),
    ("POST /api/v1/links", "links", LINK, {}),
    ("DELETE /api/v1/links/{id}", "links/{id}", None, {}),
    ("POST /api/v1/links/codes", "links/codes", None, BOT),
    ("POST /api/v1/files", "files", FILE, BOT),
    ("GET /api/v1/files/{token}", "files/{url}", None, {}),
    ("POST /api/v1/links/confirm", "links/confirm", {"code": "{code}"}, {}),
]  # fmt: skip
# these need a state of their own, see below; revealing has a test of its own, tests/api/test_reveal.py
APART = {
    "POST /api/v1/reveal",
    "POST /api/v1/runs/{number}/cancel", "DELETE /api/v1/datasets/{name}/pii/rulings/{ruling}",
    "GET /api/v1/models/{name}/rows", "POST /api/v1/notices/{notice}/sent", "POST /api/v1/notices/{notice}/failed",
}  # fmt: skip


class Caller:
    """Calls routes as the home's owner, and looks at what each leaves in the audit log."""

    def __init__(self, atlas: Embedded) -> None:
        self.atlas = atlas
        headers = {"Authorization": f"Bearer {atlas.token(None)}"}
        self.http = TestClient(atlas.app, base_url=IN_PROCESS, headers=headers)
        self.known: dict[str, Any] = {}

    def calls(self, route: str, path: str, body: Any, headers: dict[str, str]) -> list[str]:
        """The actions that the audit log has more of."""
        before = len(self.actions())
        filled = {k: v.format(**self.known) if isinstance(v, str) else v for k, v in (body or {}).items()} or None
        where = path.format(**self.known).replace(LINK_TO, "")
        answer = self.http.request(route.split()[0], f"/api/v1/{where}", json=filled, headers=headers)
        assert answer.is_success, (route, answer.text)
        if answer.content and answer.headers["content-type"] == "application/json":
            self.known |= answer.json()
        return self.actions()[before:]

    def actions(self) -> list[str]:
        with self.atlas.home.database.read() as db:
            rows = audit.entries(db, who=None, action=None, about=None, since=None, before=None, limit=1000)
            return [row.action for row in rows if row.result == "done"][::-1]

    def ends(self, run: int) -> str:
        """The state in which a run ends."""
        revision = ""
        while True:
            answer = self.http.get(f"/api/v1/runs/{run}", params={"seen": revision, "wait": 10}).json()
            if answer["state"] not in ("queued", "running"):
                return str(answer["state"])
            revision = answer["revision"]


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    pipelines = tmp_path / "pipelines"
    (pipelines / "navigate").mkdir(parents=True)
    for name in ("orders", "broken"):
        text = f"name: {name}\nowner: web-team\nsource: {{connector: csv, path: {name}.csv}}\n"
        (pipelines / f"{name}.yml").write_text(text, encoding="utf-8")
    (pipelines / "orders.csv").write_text("id,country\n1,DK\n2,SE\n", encoding="utf-8")
    (pipelines / "navigate" / "per_country.sql").write_text(
        "-- How many\nselect country, count(*) as n from orders group by 1", encoding="utf-8"
    )
    given = {"ATLAS_HOME": str(tmp_path / "home"), "ATLAS_PIPELINES": str(pipelines)}
    told = {"ATLAS_ALERT_CHANNELS": "*=slack:T1:C1", "ATLAS_ALERT_HOLD_SECONDS": "0"}
    prepare(tmp_path / "home")
    atlas = Embedded(load({**given, **told, "ATLAS_PUBLIC_URL": "https://atlas.example.dk"}))
    with atlas.home.database.write() as db:
        for role in access.ROLES:
            access.add_user(db, role, role)
    yield Caller(atlas)
    assert atlas.close(10)


def test_every_route_that_writes_or_shows_leaves_a_row(caller: Caller) -> None:
    silent = []
    for route, path, body, headers in CALLS:
        if not caller.calls(route, path, body, headers):
            silent.append(route)
        run = caller.known.get("run")
        if run is not None:
            caller.ends(run["run"] if isinstance(run, dict) else run)  # a ruling's answer holds a whole run
    assert silent == []
    assert caller.calls("GET /api/v1/models/{name}/rows", "models/per_country/rows", None, {}) == ["rows.read"]
    ruled = caller.http.get("/api/v1/datasets/orders/pii/rulings").json()["items"][0]["id"]
    path = f"datasets/orders/pii/rulings/{ruled}"
    assert caller.calls("DELETE …", path, None, {}) == ["pii.withdraw"]


def test_another_owner_of_a_dataset_and_of_the_models_over_it_leaves_a_row_each(caller: Caller) -> None:
    path = caller.atlas.home.settings.pipelines / "orders.yml"
    for owner in ("web-team", "web-team", "crm-team"):
        path.write_text(path.read_text(encoding="utf-8").replace("web-team", owner), encoding="utf-8")
        caller.calls("POST", "runs", {"pipeline": "orders"}, {})
        assert caller.ends(caller.known["run"]) == "succeeded"
    with caller.atlas.home.database.read() as db:
        rows = audit.entries(
            db, who=None, action="owner.change", about=None, since=None, before=None, limit=9
        )  # fmt: skip
        assert [row.about for row in rows] == ["per_country: web-team → crm-team", "orders: web-team → crm-team"]


def test_a_cancelled_run_leaves_a_row(caller: Caller) -> None:
    caller.atlas.app.state.wake = lambda: None  # nobody works: the run waits
    caller.calls("POST", "runs", {"pipeline": "orders"}, {})
    assert caller.calls("POST", "runs/{run}/cancel", None, {}) == ["run.cancel"]


def test_what_comes_of_a_message_about_an_alert_leaves_a_row(caller: Caller) -> None:
    told = (("sent", {"ref": "{{}}", "revision": 1}), ("failed", {"reason": "channel_not_found"}))
    for word, about in told:
        caller.calls("POST", "runs", {"pipeline": "broken"}, {})
        assert caller.ends(caller.known["run"]) == "failed"
        wanted = {"platforms": ["slack"]}
        taken = caller.http.post("/api/v1/notices/lease?wait=10", json=wanted).json()["items"][0]
        body = {**about, "token": taken["token"]}
        assert caller.calls("POST", f"notices/{taken['notice']}/{word}", body, {}) == [f"notice.{word}"]
    assert caller.http.post("/api/v1/notices/lease", json=wanted).json() == {"items": []}


def test_no_route_that_writes_is_left_out(caller: Caller) -> None:
    there = rights.routes(caller.atlas.app)
    writes = {route for route in there if not route.startswith(("GET ", "HEAD "))} - READS - SAID - HANDS_OUT
    assert {route for route, *_ in CALLS} | APART == writes | SHOWS
