"""What people say about alerts and what they hear: the same as the API tells, by the rights of who asks."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.main import IN_PROCESS
from atlas.embedded import Embedded
from bot import drawing
from bot.skills.snooze import in_minutes
from core.models import CheckResult
from core.settings import load
from engine import catalog
from engine.alerts import asking
from engine.runs import course
from engine.store import access, links, quality
from engine.store.links import Identity
from tests.alerts.conftest import LOW, MISSING
from tests.bot.test_skills import Person
from tests.homes import prepare

FILE = "name: {name}\nowner: {name}-team\nsource: {{connector: csv, path: {name}.csv}}\n"
REFERENCE = "quality: {consistency: [{column: customer_id, references: customers.id}]}\n"


@pytest.fixture
def atlas(tmp_path: Path) -> Iterator[Embedded]:
    """customers has failed, orders, which references it, was refused for that, and visits has failed by itself."""
    pipelines = tmp_path / "pipelines"
    pipelines.mkdir()
    for name in ("customers", "orders", "visits"):
        text = FILE.format(name=name) + (REFERENCE if name == "orders" else "")
        (pipelines / f"{name}.yml").write_text(text, "utf-8")
    given = {"ATLAS_HOME": str(tmp_path / "home"), "ATLAS_PIPELINES": str(pipelines)}
    prepare(tmp_path / "home")
    opened = Embedded(load({**given, "ATLAS_ALERT_HOLD_SECONDS": "0"}))
    with opened.home.database.write() as db:
        for role in access.ROLES:
            access.add_user(db, role, role)
    fail(opened, "customers")
    refuse(opened, "orders")
    fail(opened, "visits")
    yield opened
    opened.close()


def fail(atlas: Embedded, name: str) -> None:
    with atlas.home.database.write() as db:
        run, _ = course.start(db, catalog.pipeline(atlas.home.settings.pipelines, name), "anna")
        course.end(atlas.home, db, run.id, "failed", MISSING)


def refuse(atlas: Embedded, name: str) -> None:
    """A run that is refused because its customers are not there."""
    with atlas.home.database.write() as db:
        run, _ = course.start(db, catalog.pipeline(atlas.home.settings.pipelines, name), "anna")
        check = CheckResult("customer_id is in customers.id", "consistency", "customer_id", 50, 100)
        quality.save(db, run.id, name, [check], 50.0, {"consistency": 50.0})
        course.end(atlas.home, db, run.id, "refused", LOW)


def client(atlas: Embedded, user: str, **limits: list[str]) -> TestClient:
    with atlas.home.database.write() as db:
        token = access.issue(db, access.user(db, user), 600, **limits)
    return TestClient(atlas.app, base_url=IN_PROCESS, headers={"Authorization": f"Bearer {token}"})


def test_alerts_are_listed_with_what_is_told_at_each(atlas: Embedded) -> None:
    said = Person(atlas, "operator").says("alerts")
    told = drawing.full(said).splitlines()
    assert told[0] == "2 alerts are open."
    assert told[2].split()[:5] == ["#3", "visits", "failed", "in", "Explore"]
    assert told[3].split()[-1] == "1"
    assert told[-1] == "Next: alerts 3 · ack 3 · why 3"
    assert [(item["alert"], item["root"]) for item in said.facts["items"]] == [(3, None), (2, 1), (1, None)]
    assert said.facts["items"][2]["attached"] == [
        {"alert": 2, "dataset": "orders", "title": "The score of orders is too low"}
    ]


def test_one_alert_says_what_since_when_and_what_one_can_do(atlas: Embedded) -> None:
    said = Person(atlas, "operator").says("alerts #1")
    assert said.title.startswith("Alert #1: customers failed in Explore (since today ")
    assert said.text == ("Run #1 failed: There is nothing.\nIt has caused: #2 The score of orders is too low.")
    assert [(a.label, a.command) for a in said.actions] == [
        ("why", "why 1"), ("retry", "retry 1"), ("ack", "ack 1"), ("snooze 2h", "snooze 1 2h"),
        ("resolve", "resolve 1"),
    ]  # fmt: skip
    fail(atlas, "customers")
    again = Person(atlas, "operator").says("alerts 1")
    assert again.title == "Alert #1: customers failed in Explore"
    assert "Seen 2 times since today " in again.text


def test_a_person_handles_an_alert_and_everybody_sees_the_same(atlas: Embedded) -> None:
    person = Person(atlas, "operator")
    assert person.says("ack 1").text.splitlines()[1] == "Acknowledged by operator."
    assert person.says("assign 1 @steward").text.splitlines()[1] == "Assigned to steward."
    assert "Snoozed until today " in person.says("snooze 1 for 2 hours").text
    assert re.search("Snoozed until today .*\\. Assigned to dpo\\.", person.says("assign 1 dpo").text)
    person.says("assign 1 steward")
    seen = client(atlas, "viewer").get("/api/v1/alerts/1").json()
    assert (seen["state"], seen["assignee"], seen["changed_by"]) == ("snoozed", "steward", "operator")
    resolved = Person(atlas, "steward").says("resolve #1")
    assert "Resolved by steward today " in resolved.text
    assert resolved.actions == []
    late = person.says("ack 1")
    assert (late.ok, late.text) == (False, "Alert `#1` is resolved by `steward`.")
    with atlas.home.database.read() as db:
        from engine.store import audit

        rows = audit.entries(db, who=None, action=None, about="alert 1", since=None, before=None, limit=10)
        assert [(row.who, row.action) for row in rows] == [
            ("operator", "POST /api/v1/alerts/{alert}/ack"),  # refused: it is resolved
            ("steward", "alert.resolve"), ("operator", "alert.assign"), ("operator", "alert.assign"),
            ("operator", "alert.snooze"), ("operator", "alert.assign"),
            ("operator", "alert.ack"),
        ]  # fmt: skip


def test_nobody_is_assigned_who_may_not_handle_it(atlas: Embedded) -> None:
    said = Person(atlas, "operator").says("assign 1 viewer")
    assert said.text == (
        "`viewer` may not handle alerts about `customers`: they are viewer. "
        "It needs the role operator or steward or dpo or admin."
    )
    assert not said.ok
    with atlas.home.database.write() as db:
        access.grant(db, access.user(db, "viewer"), "customers", "operator", "admin")
    assert Person(atlas, "operator").says("assign 1 viewer").ok


def test_a_closed_alert_says_why_and_what_it_has_left_open(atlas: Embedded) -> None:
    with atlas.home.database.write() as db:
        run, _ = course.start(db, catalog.pipeline(atlas.home.settings.pipelines, "customers"), "anna")
        run.state = "succeeded"
        asking.after_run(atlas.home, db, run)
    told = Person(atlas, "operator").says("alerts 1").text.splitlines()
    assert re.fullmatch("Closed today .* because customers runs again\\.", told[1])
    assert told[2] == "Still open: #2 The score of orders is too low."


def test_a_half_or_wrong_command_is_answered_with_what_works(atlas: Embedded) -> None:
    person = Person(atlas, "operator")
    assert person.says("ack").text == "Which alert? #3 and #1"
    assert [a.command for a in person.says("ack").actions] == ["ack #3", "ack #1"]
    assert person.says("ack orders").text == (
        "Give the number of the alert, for example `ack 12`. `orders` is not a number."
    )
    assert person.says("snooze 1 soon").actions[0].command == "snooze 1 2h"
    assert person.says("ack 99").text.startswith("There is no alert `#99`.")
    assert person.says("subscribe custmers").actions[0].command == "subscribe customers"
    assert "There is no user `nobody`" in person.says("assign 1 @nobody").text


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("operator", True), ("steward", True), ("dpo", True)])
def test_who_may_handle_alerts(atlas: Embedded, role: str, may: bool) -> None:
    assert Person(atlas, role).says("alerts").ok
    assert Person(atlas, role).says("ack 1").ok is may


def test_who_may_not_read_a_dataset_sees_no_alert_about_it(atlas: Embedded) -> None:
    limited = client(atlas, "operator", datasets=["customers"])
    assert [item["alert"] for item in limited.get("/api/v1/alerts").json()["items"]] == [1]
    assert limited.get("/api/v1/alerts/1").json()["attached"] == []
    assert limited.get("/api/v1/alerts/3").json()["detail"] == "There is no alert `#3`."
    assert limited.post("/api/v1/alerts/3/ack").status_code == 404
    assert limited.post("/api/v1/alerts/1/ack").status_code == 200
    assert limited.put("/api/v1/datasets/orders/subscriptions/me").status_code == 403


def test_lists_have_pages_and_filters(atlas: Embedded) -> None:
    http = client(atlas, "viewer")
    first = http.get("/api/v1/alerts", params={"limit": 2}).json()
    assert [item["alert"] for item in first["items"]] == [3, 2]
    rest = http.get("/api/v1/alerts", params={"limit": 2, "after": first["next"]}).json()
    assert ([item["alert"] for item in rest["items"]], rest["next"]) == ([1], None)
    client(atlas, "admin").post("/api/v1/alerts/3/resolve")
    asked = ({"live": True}, {"state": "resolved"}, {"dataset": "orders"})
    found = [[i["alert"] for i in http.get("/api/v1/alerts", params=p).json()["items"]] for p in asked]
    assert found == [[2, 1], [3], [2]]


def test_a_click_that_comes_twice_is_done_once(atlas: Embedded) -> None:
    http = client(atlas, "operator")
    answers = [http.post("/api/v1/alerts/1/ack", headers={"Idempotency-Key": "click-1"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert http.post("/api/v1/alerts/1/ack").json()["revision"] == answers[0]["revision"]


def test_somebody_subscribes_where_they_can_be_told(atlas: Embedded) -> None:
    assert Person(atlas, "viewer").says("subscribe customers").text == (
        "You have subscribed to customers. No chat of yours is linked, so only `alerts` shows them to you."
    )
    with atlas.home.database.write() as db:
        links.link(db, Identity("slack", "T1", "U1"), access.user(db, "viewer"), "viewer")
    person = Person(atlas, "viewer")
    assert person.says("subscribe customers").text == "You get the alerts about customers from now on."
    fail(atlas, "customers")
    bot = client(atlas, "admin", scopes=["speak-for"])
    taken = bot.post("/api/v1/notices/lease?wait=15", json={"platforms": ["slack"]}).json()["items"]
    assert [(one["target"], one["alert"]["alert"]) for one in taken] == [("U1", 1)]
    assert person.says("unsubscribe customers").ok
    assert not person.says("unsubscribe customers").ok


def test_in_a_chat_a_mention_is_who_is_linked(atlas: Embedded) -> None:
    with atlas.home.database.write() as db:
        for name, person in (("operator", "U1"), ("steward", "U2")):
            links.link(db, Identity("slack", "T1", person), access.user(db, name), name)
    bot = client(atlas, "admin", scopes=["speak-for"])
    bot.headers["Atlas-On-Behalf-Of"] = "slack:T1:U1"
    assert bot.post("/api/v1/alerts/1/assign", json={"user": "U2"}).json()["assignee"] == "steward"
    assert bot.post("/api/v1/notices/lease", json={"platforms": ["slack"]}).status_code == 403


def test_status_tells_that_alerts_are_open(atlas: Embedded) -> None:
    said = Person(atlas, "viewer").says("status")
    assert said.text.endswith("2 alerts are open.")
    assert said.actions[-1].command == "alerts"


@pytest.mark.parametrize(
    ("said", "minutes"),
    [("2h", 120), ("30m", 30), ("for 90 min", 90), ("1 day", 1440), ("an hour", 60), ("2 weeks", 20160),
     ("0m", None), ("31d", None), ("soon", None), ("2", None), ("2h30", None)],
)  # fmt: skip
def test_durations_are_read_as_people_say_them(said: str, minutes: int | None) -> None:
    assert in_minutes(said) == minutes
