"""One alert a problem: it counts, ends by itself, returns within a day, and is told where its root is."""

import contextlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import NotFound, Refused
from core.models import CheckResult
from engine.alerts import asking, people
from engine.home import Home
from engine.store import alerts, notices
from engine.store.tables import Alert
from tests.alerts.conftest import MISSING, Team, missing

LOW = {"code": "score_too_low", "message": "The score 88.2 is below the minimum of 90.", "step": "publish", "tries": ""}
DAY = timedelta(days=1)


def later(seconds: float = 11) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_a_failure_is_one_alert_that_counts_and_ends_by_itself(team: Team) -> None:
    team.pipeline("orders")
    first = team.ends("orders")
    for _ in range(3):
        last = team.ends("orders")
    alert = team.alerts()[0]
    assert team.told() == [(1, "orders", "open", 4)]
    assert (alert.title, alert.run_id) == ("orders failed in Explore", last)
    assert alert.cause == f"Run #{last} failed: There is nothing."
    assert alert.next == [f"why {last}", f"retry {last}"]
    assert first < last
    team.ends("orders", "succeeded")
    assert team.told() == [(1, "orders", "closed", 4)]


def test_a_cancelled_run_says_nothing_about_the_problem(team: Team) -> None:
    team.pipeline("orders")
    team.ends("orders")
    team.ends("orders", "cancelled")
    assert [state for _, _, state, _ in team.told()] == ["open"]


def test_it_returns_under_its_number_within_a_day_and_under_another_later(team: Team, home: Home) -> None:
    team.pipeline("orders")
    team.ends("orders")
    team.ends("orders", "succeeded")
    team.ends("orders")
    assert [(state, count) for _, _, state, count in team.told()] == [("open", 2)]
    team.ends("orders", "succeeded")
    with home.database.write() as db:
        db.query(Alert).update({"ended_at": datetime.now(UTC) - DAY - timedelta(minutes=1)})
    team.ends("orders")
    assert [(state, count) for _, _, state, count in team.told()] == [("closed", 2), ("open", 1)]


def test_a_refusal_for_its_score_is_told_as_that(team: Team) -> None:
    team.pipeline("orders")
    run = team.ends("orders", "refused", LOW)
    alert = team.alerts()[0]
    assert (alert.rule, alert.title) == ("low_score", "The score of orders is too low")
    assert alert.cause == f"{LOW['message']} Run #{run} was not published; the last good version stays."
    team.ends("orders", "failed")
    assert [(a.rule, a.state) for a in team.alerts()] == [("low_score", "open"), ("failed_run", "open")]
    team.ends("orders", "refused", {"code": "unmasked", "message": "A column shows personal data.", "step": "publish"})
    assert [(a.rule, a.state) for a in team.alerts()] == [
        ("low_score", "open"), ("failed_run", "closed"), ("refused_run", "open"),
    ]  # fmt: skip
    team.ends("orders", "succeeded")
    assert {a.state for a in team.alerts()} == {"closed"}


def test_many_rejected_rows_are_told_with_their_share(team: Team) -> None:
    team.pipeline("orders")
    run = team.ends("orders", "succeeded", rows_in=1000, rows_out=900, rows_rejected=100)
    assert [(a.rule, a.cause) for a in team.alerts()] == [
        ("dead_letters", f"Run #{run} rejected 100 of 1,000 rows (10.0 %).")
    ]
    team.ends("orders", "succeeded", rows_in=1000, rows_out=950, rows_rejected=50)
    assert [state for _, _, state, _ in team.told()] == ["closed"]


def test_a_run_that_cannot_read_its_source_has_no_cause_in_another_dataset(team: Team) -> None:
    """Whatever else is wrong at the same time, and in whichever order."""
    team.pipeline("customers")
    team.pipeline("orders", "customers")
    team.ends("customers")
    team.ends("orders")
    assert team.roots() == {"customers": None, "orders": None}
    assert len(team.due(later())) == 2


def test_a_rule_that_looks_nowhere_else_has_its_cause_at_home(team: Team) -> None:
    team.pipeline("customers")
    team.pipeline("orders", "customers")
    team.ends("customers")
    empty = CheckResult("country is filled in", "completeness", "country", 60, 100)
    team.ends("orders", "refused", LOW, checks=[empty, missing("customers", 0)])
    assert team.roots() == {"customers": None, "orders": None}


def test_what_fails_as_it_did_before_is_not_blamed_on_what_has_happened_since(team: Team) -> None:
    team.pipeline("customers")
    team.pipeline("orders", "customers")
    team.ends("orders", "succeeded", checks=[missing("customers", 20)], score=95)
    team.ends("customers")
    empty = CheckResult("country is filled in", "completeness", "country", 60, 100)
    team.ends("orders", "refused", LOW, checks=[empty, missing("customers", 20)])
    assert team.roots() == {"customers": None, "orders": None}
    team.ends("orders", "refused", LOW, checks=[empty, missing("customers", 40)])
    assert team.roots() == {"customers": None, "orders": 1}


def test_a_run_that_fails_after_its_version_was_published_takes_nothing_from_others(team: Team) -> None:
    team.pipeline("customers")
    team.pipeline("orders", "customers")
    team.ends("customers", error={**MISSING, "step": "navigate"})
    team.refused("orders", "customers")
    assert team.roots() == {"customers": None, "orders": None}


def test_what_follows_from_a_failure_is_told_there(team: Team) -> None:
    """customers <- orders <- lines, and returns, which has nothing to do with them."""
    for name, *references in (("customers",), ("orders", "customers"), ("lines", "orders"), ("returns",)):
        team.pipeline(name, *references)
    for name in ("customers", "orders", "lines", "returns"):
        team.suffers(name)
    assert team.roots() == {"customers": None, "orders": 1, "lines": 1, "returns": None}
    assert team.due(later()) == [(1, "slack:T1:C1"), (4, "slack:T1:C1")]


def test_five_hundred_failures_over_forty_datasets_are_one_message(team: Team, home: Home) -> None:
    """In any order, also if those downstream fail first. On a server it is the same, and a fifth of them will do."""
    chance, many = random.Random(7), 500 if home.database.embedded else 100
    names = team.graph(chance, 40)
    order = [*names, *chance.choices(names, k=many - 40)]
    chance.shuffle(order)
    for name in order:
        team.suffers(name)
    roots = [a for a in team.alerts() if a.root_id is None]
    assert [(a.dataset, a.count) for a in roots] == [("d0", order.count("d0"))]
    assert sum(a.count for a in team.alerts()) == many
    assert [place for _, place in team.due(later())] == ["slack:T1:C1"]
    with home.database.read() as db:
        assert len(alerts.attached(db, [roots[0].id])[roots[0].id]) == 39


@pytest.mark.parametrize("seed", range(10))
def test_in_which_order_they_fail_makes_no_difference(team: Team, seed: int) -> None:
    chance = random.Random(seed)
    names = team.graph(chance, 9)
    chance.shuffle(names)
    for name in names:
        team.suffers(name)
    assert [name for name, root in team.roots().items() if root is None] == ["d0"]
    assert len(team.due(later())) == 1


def test_what_fails_at_the_same_time_is_told_once_while_others_click_and_the_clock_is_looked_at(
    team: Team, home: Home
) -> None:
    names = team.graph(random.Random(3), 12)
    for name in names:
        team.ends(name, "succeeded")  # so that all files are read
    ended = threading.Event()

    def clicks() -> None:
        while not ended.is_set():
            asking.look(home, datetime.now(UTC))
            for alert in team.alerts():
                with contextlib.suppress(Refused), home.database.write() as db:
                    people.acknowledge(db, alert.id, "kim")

    with ThreadPoolExecutor(5) as threads:
        clicking = threads.submit(clicks)
        try:
            list(threads.map(team.suffers, names * 3, timeout=90))
        finally:
            ended.set()
        clicking.result(30)
    alerts = team.alerts()
    assert [a.dataset for a in alerts if a.root_id is None] == ["d0"]
    assert sorted(a.dataset for a in alerts) == sorted(names)
    assert len(team.due(later(60))) == 1


def test_who_was_told_before_the_root_was_known_is_told_that_it_belongs_there(team: Team, home: Home) -> None:
    team.pipeline("customers")
    team.pipeline("orders", "customers", owner="web-team")
    team.suffers("orders")
    with home.database.write() as db:
        row = notices.lease(db, ["slack"], later(), 30, 10)[0]
        notices.sent(db, row.id, row.token, "{}", 1, datetime.now(UTC))
    assert team.due(later()) == []
    team.ends("customers")
    assert team.due(later()) == [(1, "slack:T1:C9"), (2, "slack:T1:C1"), (2, "slack:T1:C9")]


def test_what_is_left_when_the_root_has_ended_stands_for_itself_after_an_hour_or_its_next_failure(
    team: Team, home: Home
) -> None:
    for name, *references in (("customers",), ("orders", "customers"), ("lines", "orders"), ("visits", "customers")):
        team.pipeline(name, *references)
        team.suffers(name)
    team.ends("customers", "succeeded")
    assert team.roots() == {"customers": None, "orders": 1, "lines": 1, "visits": 1}
    team.suffers("visits")
    assert team.roots() == {"customers": None, "orders": 1, "lines": 1, "visits": None}
    asking.look(home, datetime.now(UTC) + timedelta(minutes=59))
    assert list(team.roots().values()) == [None, 1, 1, None]
    asking.look(home, datetime.now(UTC) + timedelta(minutes=61))
    assert team.roots() == {"customers": None, "orders": None, "lines": 2, "visits": None}
    assert [place for alert, place in team.due(later(4000)) if alert == 2] == ["slack:T1:C1"]


def test_a_person_acknowledges_snoozes_assigns_and_resolves(team: Team, home: Home) -> None:
    team.pipeline("orders")
    team.ends("orders")
    kim, number = team.user("kim"), team.alerts()[0].id
    with home.database.write() as db:
        alert = people.acknowledge(db, number, "kim")
        revision = alert.revision
        assert people.acknowledge(db, number, "anna").revision == revision  # it is acknowledged already
        assert (alert.state, alert.changed_by) == ("acknowledged", "kim")
        assert people.assign(db, number, kim, "anna").assignee == "kim"
        assert people.snooze(db, number, 120, "anna").state == "snoozed"
    asking.look(home, datetime.now(UTC) + timedelta(minutes=119))
    assert team.told() == [(1, "orders", "snoozed", 1)]
    asking.look(home, datetime.now(UTC) + timedelta(minutes=121))
    assert team.told() == [(1, "orders", "assigned", 1)]
    with home.database.write() as db:
        people.resolve(db, number, "anna")
    with pytest.raises(Refused, match="resolved by `anna`"), home.database.write() as db:
        people.acknowledge(db, number, "kim")
    with pytest.raises(NotFound), home.database.write() as db:
        people.resolve(db, number + 1, "kim")
    team.ends("orders")
    alert = team.alerts()[0]
    assert (alert.state, alert.count, alert.assignee) == ("open", 2, None)


def test_a_subscriber_is_told_in_their_chat_and_by_the_second_way_if_the_first_fails(team: Team, home: Home) -> None:
    team.pipeline("orders", owner="web-team")
    kim, silent = team.user("kim", "viewer", "slack:T1:U1", "teams:contoso:U2"), team.user("bo")
    with home.database.write() as db:
        assert people.subscribe(home, db, kim.id, "orders") == (True, True)
        assert people.subscribe(home, db, silent.id, "orders") == (True, False)  # there is no chat to tell them in
    team.ends("orders")
    assert team.due(later()) == [(1, "slack:T1:C9"), (1, "slack:T1:U1")]
    with home.database.write() as db:
        mine = next(n for n in notices.lease(db, ["slack"], later(), 30, 10) if n.user_id)
        notices.failed(db, mine.id, mine.token, "user_not_found", False, datetime.now(UTC))
    assert (1, "teams:contoso:U2") in team.due(later())
    with home.database.read() as db:
        assert notices.waiting(db, later(400))[0::2] == (2, 1)
    with home.database.write() as db:
        people.unsubscribe(db, kim.id, "orders")
    with pytest.raises(NotFound, match="not subscribed"), home.database.write() as db:
        people.unsubscribe(db, kim.id, "orders")


def test_a_message_is_leased_to_one_bot_and_a_late_word_of_another_is_refused(team: Team, home: Home) -> None:
    team.pipeline("orders")
    team.ends("orders")
    now = later()
    with home.database.write() as db:
        first = notices.lease(db, ["slack"], now, 30, 10)[0]
        assert notices.lease(db, ["slack"], now, 30, 10) == []
        token = first.token
    with home.database.write() as db:
        second = notices.lease(db, ["slack"], now + timedelta(seconds=31), 30, 10)[0]
        assert second.token == token + 1
    with pytest.raises(Refused, match="somebody else"), home.database.write() as db:
        notices.sent(db, first.id, token, "{}", 1, now)
    with home.database.write() as db:
        notices.sent(db, first.id, token + 1, "{}", 1, now)
        assert notices.lease(db, ["slack"], now + DAY, 30, 10) == []
    team.ends("orders")
    assert team.due(later(60)) == [(1, "slack:T1:C1")]


def test_a_message_that_a_clock_which_ran_ahead_has_put_off_is_sent(team: Team, home: Home) -> None:
    team.pipeline("orders")
    team.ends("orders")
    before = datetime.now(UTC) - timedelta(hours=3)
    for _ in range(2):  # the second time it is held for somebody until in three hours
        assert team.due(before) == [(1, "slack:T1:C1")]
        with home.database.write() as db:
            assert notices.lease(db, ["slack"], later(), 30, 10)


def test_three_failures_take_the_other_way_and_nothing_is_given_up(team: Team, home: Home) -> None:
    team.pipeline("orders")
    team.ends("orders")
    now, tried = later(), []
    with home.database.write() as db:
        for _ in range(8):
            row = notices.lease(db, ["slack"], now, 30, 10)[0]
            tried.append(row.ways[row.way].rpartition(":")[2])
            notices.failed(db, row.id, row.token, "unreachable", True, now)
            assert row.due_at is not None
            now = max(now, row.due_at)
    assert tried == ["C1", "C1", "C1", "C2", "C2", "C2", "C1", "C1"]
