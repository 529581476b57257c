"""The score is that of the version that is published, however many runs made it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.shop import Shop, changing_sources, days_ago


@pytest.fixture(scope="module", autouse=True)
def _sources() -> Iterator[None]:
    with changing_sources():
        yield


cells = st.fixed_dictionaries(
    {},
    optional={
        "mail": st.sampled_from(["a@firma.dk", "b@firma.dk", "c@firma.dk", "nobody", None]),
        "land": st.sampled_from(["dk", "se", "xx", None]),
        "amount": st.sampled_from(["1", "45", "99", "-1", None]),
        "boss": st.sampled_from(["1", "2", "9", None]),
        "day": st.sampled_from([0, 30, None]),
    },
)
place = st.sampled_from(["1", "2", "3", "4", "5"])
change = st.tuples(st.just("change"), place, cells)
keyless = st.tuples(st.just("keyless"), st.sampled_from(["x", "y"]), cells)
act = st.one_of(
    change, change, change, keyless, st.just(("run",)), st.just(("run",)), st.just(("replay",)),
    st.tuples(st.just("lands"), st.sampled_from([("dk",), ("dk", "se", "xx")])),
)  # fmt: skip


def plays(folder: Path, acts: list[Any]) -> Shop:
    shop = Shop(folder)
    # it never changes: a full run decides the types of columns anew, and of a column without a value it knows none
    shop.change("0", mail="a@firma.dk", land="dk", amount="1", boss="0", day=days_ago(0))
    shop.run()
    for what, *about in acts:
        if what == "run":
            shop.run()
        elif what == "replay":
            shop.run(replay=True)
        elif what == "lands":
            shop.lands(*about[0])
        elif what == "change" or about[0] not in shop.orders:  # one without a key cannot be found when it changes
            given = dict(about[1])
            if "day" in given:
                given["day"] = None if given["day"] is None else days_ago(given["day"])
            shop.change(about[0], **given, **({"id": None} if what == "keyless" else {}))
    return shop


def scores_as_a_full_run(folder: Path, acts: list[Any]) -> None:
    shop = plays(folder, acts)
    try:
        last = shop.run()
        full = shop.run(full=True)
        assert shop.measured(last) == shop.measured(full)
        assert shop.masked(last) == shop.masked(full)
    finally:
        shop.home.database.close()


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=st.lists(act, max_size=10))
def test_any_sequence_of_runs_scores_what_one_full_run_scores(
    tmp_path_factory: pytest.TempPathFactory, acts: list[Any]
) -> None:
    scores_as_a_full_run(tmp_path_factory.mktemp("shop"), acts)


@pytest.mark.long
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=st.lists(act, min_size=4, max_size=25))
def test_any_long_sequence_of_runs_scores_what_one_full_run_scores(
    tmp_path_factory: pytest.TempPathFactory, acts: list[Any]
) -> None:
    scores_as_a_full_run(tmp_path_factory.mktemp("shop"), acts)
