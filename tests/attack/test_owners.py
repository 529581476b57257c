"""Attacks on models by those who own one of their inputs: who may read rows and who may grant, whatever ran last."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from engine.check import check
from engine.store import access
from engine.store.tables import AuditEntry
from tests.attack.attempts import Attempts, Guard
from tests.attack.shop import Shop

TEAMS = ("crm-team", "web-team", "support")
SEES_MODELS = ("operator", "steward", "dpo", "admin")
# a model without a table: reading it is refused with the reason, and nobody can be granted access to it
GONE = {"rows": 409, "grant": 404}
GUARDS = [
    Guard("engine/runs/steps/navigate.py", 'model.name, "model", owner, model.description,',
          'model.name, "model", job.pipeline.owner, model.description,',
          "test_owners.py::test_who_owns_one_input_reads_and_grants_nothing_of_a_model_over_two"),
    Guard("engine/navigate/models.py", "    if len(read) != 1:\n", "    if not read:\n",
          "test_owners.py::test_a_model_whose_owner_nobody_declared_is_shown_to_none_of_the_owners_of_its_inputs"),
    Guard("engine/runs/steps/navigate.py", "            datasets.withdraw(db, model.name)\n", "",
          "test_owners.py::test_what_was_published_is_taken_away_when_its_inputs_get_several_owners"),
    Guard("engine/store/datasets.py", " for row in rows for number in row.inputs.values()} - seen", " for row in rows "
          "for number in ()} - seen",
          "test_owners.py::test_a_model_over_models_has_all_owners_below_it"),
    Guard("api/deps.py", "return bool(owner) and owner in self.owns", "return owner in self.owns",
          "test_owners.py::test_nobody_owns_what_has_no_owner"),
    Guard("engine/catalog.py", "    if published is not None:\n        return published\n", "",
          "test_owners.py::test_a_pipeline_file_named_like_a_model_gives_no_right_on_it"),
]  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("owners"))
    made.user("vic")
    yield made
    made.home.database.close()


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Two datasets of two teams, and who owns one each."""
    made = Shop(tmp_path_factory.mktemp("owners"))
    made.user("vic")
    made.pipeline("customers", "crm-team")
    made.pipeline("orders", "web-team")
    yield made
    made.home.database.close()


def rows(shop: Shop, user: str, model: str) -> int:
    return shop.people[user].get(f"/api/v1/models/{model}/rows").status_code


def grants(shop: Shop, user: str, model: str) -> int:
    return shop.people[user].put(f"/api/v1/datasets/{model}/grants/vic", json={"role": "operator"}).status_code


def owner_of(shop: Shop, name: str) -> str | None:
    answer = shop.people["root"].get(f"/api/v1/datasets/{name}")
    return str(answer.json()["owner"]) if answer.status_code == 200 else None


def test_who_owns_one_input_reads_and_grants_nothing_of_a_model_over_two(fresh: Shop, attempts: Attempts) -> None:
    """A viewer who owned `customers` ran it, and so owned what joins it with the orders of others."""
    fresh.user("own1", owns=["crm-team"])
    fresh.user("own2", owns=["web-team"])
    fresh.model("revenue", ["customers", "orders"], "web-team")
    fresh.run("orders")
    for order in itertools.product(("customers", "orders"), repeat=2):
        for name in order:
            fresh.run(name)
        for how, call in (("rows", rows), ("grant", grants)):
            attempts.tried("owners", f"{how} after {order}", held=call(fresh, "own1", "revenue") == 403)
    fresh.run("customers")
    assert (rows(fresh, "own2", "revenue"), grants(fresh, "own2", "revenue")) == (200, 200)


def test_a_model_whose_owner_nobody_declared_is_shown_to_none_of_the_owners_of_its_inputs(
    fresh: Shop, attempts: Attempts
) -> None:
    fresh.user("own1", owns=["crm-team"])
    fresh.user("own2", owns=["web-team"])
    fresh.user("root", "admin")
    fresh.model("revenue", ["customers", "orders"])
    for name in ("customers", "orders", "customers", "orders"):
        run = fresh.run(name)
        for user, (how, call) in itertools.product(("own1", "own2"), (("rows", rows), ("grant", grants))):
            attempts.tried("owners", f"{how} of {user} after {name}", held=call(fresh, user, "revenue") == 403)
    (warning,) = run.warnings
    assert "reads data of crm-team and web-team. Say who owns it: -- owner: crm-team." in warning
    assert "Correct navigate/revenue.sql" in warning
    assert owner_of(fresh, "revenue") is None
    (mistake,) = check(fresh.pipelines)[1]
    assert str(mistake) == (
        "navigate/revenue.sql:1: It reads data of crm-team and web-team. Say who owns it: -- owner: crm-team"
    )


def test_what_was_published_is_taken_away_when_its_inputs_get_several_owners(fresh: Shop, attempts: Attempts) -> None:
    fresh.user("own1", owns=["crm-team"])
    fresh.user("root", "admin")
    fresh.pipeline("orders", "crm-team")
    fresh.model("revenue", ["customers", "orders"])
    fresh.run("customers")
    fresh.run("orders")
    assert (rows(fresh, "own1", "revenue"), owner_of(fresh, "revenue")) == (200, "crm-team")
    fresh.pipeline("orders", "web-team")
    assert rows(fresh, "own1", "revenue") == 200  # a new owner counts from the next run
    fresh.run("orders")
    for how, call in (("rows", rows), ("grant", grants)):
        attempts.tried("owners", f"{how} of what lost its owner", held=call(fresh, "own1", "revenue") == 403)
    attempts.tried(
        "owners", "rows of what lost its owner, by root", held=rows(fresh, "root", "revenue") == GONE["rows"]
    )
    with fresh.home.database.read() as db:
        noted = db.scalars(select(AuditEntry).where(AuditEntry.action == "owner.change")).one()
    assert (noted.who, noted.through, noted.about) == (None, "run #3", "revenue: crm-team → nobody")


def test_a_declared_owner_that_changes_is_recorded_and_counts_from_the_next_build(fresh: Shop) -> None:
    fresh.user("own1", owns=["crm-team"])
    fresh.user("own2", owns=["web-team"])
    fresh.model("revenue", ["customers", "orders"], "web-team")
    fresh.run("customers")
    fresh.run("orders")
    fresh.model("revenue", ["customers", "orders"], "crm-team")
    assert (rows(fresh, "own1", "revenue"), rows(fresh, "own2", "revenue")) == (403, 200)
    fresh.run("orders")
    assert (rows(fresh, "own1", "revenue"), rows(fresh, "own2", "revenue")) == (200, 403)
    with fresh.home.database.read() as db:
        about = db.scalars(select(AuditEntry.about).where(AuditEntry.action == "owner.change")).all()
    assert about == ["revenue: web-team → crm-team"]


def test_a_model_over_models_has_all_owners_below_it(fresh: Shop, attempts: Attempts) -> None:
    """A joined table of the web team is read by a model without an owner: it still holds rows of the CRM team."""
    fresh.user("own2", owns=["web-team"])
    fresh.model("revenue", ["customers", "orders"], "web-team")
    fresh.model("again", ["revenue"])
    fresh.model("third", ["again"])
    for name in ("customers", "orders"):
        fresh.run(name)
    for model, (how, call) in itertools.product(("again", "third"), (("rows", rows), ("grant", grants))):
        attempts.tried("owners", f"{how} of {model}", held=call(fresh, "own2", model) == 403)
    assert len(check(fresh.pipelines)[1]) == 2


def test_nobody_owns_what_has_no_owner(fresh: Shop, attempts: Attempts) -> None:
    """As a database of before this version is left: the models in it belong to nobody until they are built again."""
    fresh.user("empty", owns=[""])
    fresh.model("revenue", ["customers", "orders"], "web-team")
    fresh.run("customers")
    fresh.run("orders")
    with fresh.home.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE dataset SET owner = '' WHERE kind = 'model'")
    fresh.user("own2", owns=["web-team"])
    for user, (how, call) in itertools.product(("own2", "empty"), (("rows", rows), ("grant", grants))):
        attempts.tried("owners", f"{how} of {user} of nobody's", held=call(fresh, user, "revenue") == 403)
    fresh.run("orders")
    assert rows(fresh, "own2", "revenue") == 200


def test_a_pipeline_file_named_like_a_model_gives_no_right_on_it(fresh: Shop, attempts: Attempts) -> None:
    fresh.user("own1", owns=["crm-team"])
    fresh.model("revenue", ["customers", "orders"], "web-team")
    fresh.run("customers")
    fresh.run("orders")
    fresh.pipeline("revenue", "crm-team")
    for how, call in (("rows", rows), ("grant", grants)):
        attempts.tried("owners", f"{how} by a file of its name", held=call(fresh, "own1", "revenue") == 403)


# any graph


@dataclass(frozen=True)
class World:
    """Datasets with their owners, models with inputs and declared owners, people, and runs with edits between them."""

    datasets: tuple[str, ...]
    models: tuple[tuple[tuple[int, ...], str | None], ...]
    people: tuple[tuple[str, frozenset[str], frozenset[int]], ...]  # role, owns, models they have a grant on
    runs: tuple[tuple[int, str | None], ...]  # which dataset, and a new owner that its file names before


@st.composite
def worlds(draw: st.DrawFn) -> World:
    team = st.sampled_from(TEAMS)
    found = draw(st.lists(team, min_size=2, max_size=3))
    models = []
    for number in range(draw(st.integers(1, 3))):
        below = st.integers(0, len(found) + number - 1)
        inputs = draw(st.lists(below, min_size=1, max_size=3, unique=True))
        models.append((tuple(inputs), draw(st.none() | team)))
    role = st.sampled_from(["viewer"] * 5 + ["operator", "admin"])
    granted = st.frozensets(st.integers(0, len(models) - 1), max_size=1)
    people = draw(st.lists(st.tuples(role, st.frozensets(team, max_size=1), granted), min_size=2, max_size=3))
    edit = st.tuples(st.integers(0, len(found) - 1), st.none() | team)
    first = [(number, None) for number in draw(st.permutations(range(len(found))))]
    return World(tuple(found), tuple(models), tuple(people), (*first, *draw(st.lists(edit, max_size=2))))


def owners_by_hand(world: World) -> list[str | None]:
    """The owner of each model after all runs, None where it is not published: worked out without Atlas."""
    count, files = len(world.datasets), list(world.datasets)
    nodes: dict[int, str | None] = {}  # what is published, and who owns it
    noted: dict[int, str] = {}  # the last owner there was, also of what was taken away

    def below(node: int) -> set[int]:
        inputs = world.models[node - count][0] if node >= count else ()
        return set(inputs).union(*map(below, inputs))

    for dataset, edit in world.runs:
        files[dataset] = edit or files[dataset]
        nodes[dataset] = noted[dataset] = files[dataset]
        for node in range(count, count + len(world.models)):
            inputs, declared = world.models[node - count]
            if dataset not in below(node) or any(nodes.get(one) is None for one in inputs):
                continue
            teams = {noted[one] for one in below(node)}
            nodes[node] = declared or (next(iter(teams)) if len(teams) == 1 else None)
            noted[node] = nodes[node] or noted.get(node, "")
    return [nodes.get(count + number) for number in range(len(world.models))]


@settings(max_examples=12, deadline=None, database=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
@given(world=worlds())
def test_in_any_graph_after_any_runs_the_rights_are_those_worked_out_by_hand(
    world: World, shop: Shop, attempts: Attempts
) -> None:
    for path in [*shop.pipelines.glob("*.yml"), *shop.pipelines.glob("navigate/*.sql")]:
        path.unlink()
    example = f"e{len(attempts.names)}"
    count = len(world.datasets)
    names = [f"{example}_n{number}" for number in range(count + len(world.models))]
    for name, owner in zip(names, world.datasets, strict=False):
        shop.pipeline(name, owner)
    for name, (inputs, declared) in zip(names[count:], world.models, strict=True):
        shop.model(name, [names[number] for number in inputs], declared)
    for number, (role, owns, granted) in enumerate(world.people):
        shop.user(f"{example}_p{number}", role, owns)
        with shop.home.database.write() as db:
            for model in granted:
                access.grant(db, access.user(db, f"{example}_p{number}"), names[count + model], "operator", "root")
    for dataset, edit in world.runs:
        if edit is not None:
            shop.pipeline(names[dataset], edit)
        shop.run(names[dataset])
    wrong = []
    for (number, (role, owns, granted)), (index, owner) in itertools.product(
        enumerate(world.people), enumerate(owners_by_hand(world))
    ):
        may_grant = role == "admin" or owner in owns
        may_read = may_grant or role in SEES_MODELS or index in granted
        user, model = f"{example}_p{number}", names[count + index]
        for how, call, may in (("rows", rows, may_read), ("grant", grants, may_grant)):
            wanted = GONE[how] if owner is None else 200
            got = call(shop, user, model)
            if may:
                wrong += [(how, user, model, wanted, got)] if got != wanted else []
            else:
                attempts.tried("owners of any graph", f"{how} {model} {user}", held=got == 403)
    attempts.tried("owners of any graph", f"{example} as by hand", held=not wrong)
