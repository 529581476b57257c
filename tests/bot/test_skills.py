"""Every skill against the real thing: opsdroid, the API, the engine and its files, all in this process."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas.embedded import Embedded
from bot import drawing
from bot.main import Bot
from bot.reply import Reply
from bot.skill import skills
from core.settings import load
from engine.store import access, audit
from tests.homes import prepare

CUSTOMERS = """name: customers
description: Customers of a shop
owner: crm-team
source: {connector: csv, path: customers.csv}
key: [id]
privacy: {purpose: Orders, legal_basis: contract, retention_days: 730, columns: {country: keep}}
quality:
  completeness: [email]
  validity: [{column: country, values: [Denmark, Sweden]}]
  reject_rows: [validity]
"""
STRICT = """name: strict
owner: crm-team
source: {connector: csv, path: strict.csv}
quality: {completeness: [name], minimum_score: 99}
"""
BROKEN = """name: broken
owner: crm-team
source: {connector: csv, path: nowhere.csv}
"""
FIRST, LAST = ("Anna", "Peter", "Mette", "Lars", "Sofie"), ("Hansen", "Lund", "Dahl", "Holm", "Skov", "Kjær", "Friis")
MODEL = "-- Customers by country\nselect country, count(*) as customers from customers group by 1 order by 2 desc\n"


class Person:
    """Somebody who talks to Atlas."""

    def __init__(self, atlas: Embedded, user: str | None = None) -> None:
        self.atlas, self.user = atlas, user
        self.updates: list[Reply] = []

    def says(self, *lines: str) -> Reply:
        """Says the lines one after the other; the answer to the last."""

        async def talk() -> Reply:
            async with self.atlas.client(self.user) as http, Bot(http) as bot:
                for line in lines[:-1]:
                    await bot.ask(line)
                return await bot.ask(lines[-1], self.updates.append)

        self.updates.clear()
        return asyncio.run(talk())


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A home with a few runs behind it."""
    folder = tmp_path_factory.mktemp("atlas")
    pipelines = folder / "pipelines"
    (pipelines / "navigate").mkdir(parents=True)
    rows = [
        f"{n},{FIRST[n % 5]} {LAST[n % 7]},p{n}@shop.example,{'Denmark' if n % 3 else 'Sweden'}" for n in range(1, 200)
    ]
    rows += ["200,Ib Lund,,Denmark", "201,Bo Dahl,bo@shop.example,Atlantis"]
    (pipelines / "customers.csv").write_text("id,name,email,country\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (pipelines / "strict.csv").write_text("id,name\n1,a\n2,\n3,c\n", encoding="utf-8")
    for name, text in {"customers": CUSTOMERS, "strict": STRICT, "broken": BROKEN}.items():
        (pipelines / f"{name}.yml").write_text(text, encoding="utf-8")
    (pipelines / "navigate" / "customers_by_country.sql").write_text(MODEL, encoding="utf-8")
    prepare(folder / "home")
    opened = Embedded(load({"ATLAS_HOME": str(folder / "home"), "ATLAS_PIPELINES": str(pipelines)}))
    with opened.home.database.write() as db:
        for role in access.ROLES:
            access.add_user(db, role, role)
    for name in ("customers", "strict", "broken"):
        Person(opened).says(f"run {name}")
    yield opened
    opened.close()


@pytest.fixture
def person(atlas: Embedded) -> Person:
    return Person(atlas)


def test_a_run_tells_its_layers_and_what_came_of_it(person: Person) -> None:
    reply = person.says("run customers")
    told = drawing.full(reply).splitlines()
    assert reply.exit_code == 0
    assert told[0].startswith("Run #")
    assert told[1].startswith("  Explore    201 rows from 1 file")
    assert told[2].startswith("  Chart      2 columns masked, 1 row rejected")
    assert told[3].startswith("  Navigate   1 table")
    assert "201 in, 200 out, 1 rejected." in told[4]
    assert told[5] == "Rejected: country is not one of 2 values (1 row)."
    assert told[6].startswith("Quality 99.")
    assert told[7] == "Personal data: name and email hashed."
    assert told[8].startswith("Next: dead customers · show customers_by_country")
    assert set(reply.facts) >= {"run", "pipeline", "dataset", "version", "state", "step", "rows_in", "rows_out",
                                "rows_rejected", "score", "dimensions", "personal_columns", "tables", "seconds",
                                "error", "next"}  # fmt: skip
    assert reply.facts["dimensions"]["accuracy"] is None
    assert isinstance(reply.facts["score"], str)


def test_a_run_shows_its_progress_with_a_button_to_cancel_it(person: Person) -> None:
    number = person.says("run customers").facts["run"]
    first = person.updates[0]
    assert first.title == f"Run #{number} of customers"
    assert [(a.label, a.command) for a in first.actions] == [("cancel", f"cancel {number}")]
    assert [step.name for step in first.steps] == ["Explore", "Chart", "Navigate"]


def test_a_refused_run_says_what_people_see_now(person: Person) -> None:
    reply = person.says("run strict")
    assert reply.exit_code == 1
    assert "was refused" in reply.text
    assert "Nothing was published; strict has no version yet." in reply.text
    assert reply.actions[0].command.startswith("why ")


def test_a_failed_run_says_where_and_why_and_can_be_tried_again(person: Person) -> None:
    failed = person.says("status broken").facts["run"]
    reply = person.says(f"retry {failed}")
    assert reply.exit_code == 1
    assert reply.facts["run"] > failed
    assert f"a retry of #{failed}" in reply.title
    assert "failed in Explore" in reply.text
    assert "nowhere.csv" in reply.text
    assert [a.command for a in reply.actions] == [f"retry {reply.facts['run']}", "runs broken"]


def test_an_unknown_pipeline_gets_the_nearest_as_a_button_and_yes_takes_it(person: Person) -> None:
    reply = person.says("run custmers")
    assert drawing.full(reply) == "There is no pipeline custmers. Did you mean customers?  [run customers]"
    assert reply.exit_code == 1
    assert person.says("run custmers", "yes").facts["state"] == "succeeded"


def test_half_a_command_is_asked_for_and_completed(person: Person) -> None:
    reply = person.says("quality")
    assert reply.text.startswith("Which dataset?")
    assert "quality customers" in [a.command for a in reply.actions]
    assert person.says("quality", "customers").facts["dataset"] == "customers"
    assert person.says("quality", "whoami").facts["role"] == "admin"


def test_status_tells_everywhere_a_pipeline_and_a_run(person: Person) -> None:
    everywhere = person.says("status")
    assert everywhere.text.startswith("broken and strict need a look")
    assert everywhere.exit_code == 0
    assert [item["pipeline"] for item in everywhere.facts["items"]] == ["broken", "strict", "customers"]
    assert person.says("status customers").facts["state"] == "succeeded"
    failed = person.says("status 3")
    assert failed.facts["state"] == "failed"
    assert failed.exit_code == 0


@pytest.mark.parametrize("said", ["runs", "pipelines", "datasets"])
def test_lists_have_items(person: Person, said: str) -> None:
    reply = person.says(said)
    assert reply.exit_code == 0
    assert len(reply.facts["items"]) >= 2
    assert reply.table is not None


def test_runs_of_one_pipeline(person: Person) -> None:
    assert {run["pipeline"] for run in person.says("runs strict").facts["items"]} == {"strict"}


def test_quality_has_six_scores_the_worst_checks_and_a_picture(person: Person) -> None:
    reply = person.says("quality customers")
    assert set(reply.facts) == {"dataset", "version", "score", "measured", "dimensions", "worst"}
    assert len(reply.facts["dimensions"]) == 6
    assert reply.attachments[0].content.startswith(b"\x89PNG")
    assert "not measured" in drawing.text(reply)


def test_the_trend_has_a_picture(person: Person) -> None:
    reply = person.says("quality customers trend")
    assert reply.facts["items"]
    assert reply.attachments[0].content.startswith(b"\x89PNG")


def test_why_explains_and_says_what_was_not_checked(person: Person) -> None:
    reply = person.says("why customers")
    assert "Not checked: " in reply.text
    assert "Owner crm-team." in reply.text
    assert "(today " in reply.text
    assert "nowhere.csv" in person.says("why broken").text


def test_lineage_and_impact_have_words_edges_and_a_picture(person: Person) -> None:
    for said in ("lineage customers_by_country.customers", "impact customers.country"):
        reply = person.says(said)
        assert reply.exit_code == 0
        assert reply.attachments[0].content.startswith(b"\x89PNG")
        edges = reply.facts["upstream"] + reply.facts["downstream"]
        assert edges
        assert set(edges[0]) >= {"from", "to", "via", "masked"}


def test_pii_says_what_was_found_and_never_a_value(person: Person) -> None:
    reply = person.says("pii customers")
    found = {c["column"]: c for c in reply.facts["columns"]}
    assert found["email"]["types"] == ["EMAIL"]
    assert set(found["email"]) == {"column", "types", "confidence", "reason", "action", "rows", "masked", "ruling"}
    one = person.says("pii customers.email")
    assert one.text.startswith("customers.email holds e-mail addresses (")
    assert "no column" in person.says("pii customers.nope").text
    for told in (reply, one):
        assert "shop.example" not in json.dumps([drawing.full(told), told.facts])


def test_show_has_the_rows_in_the_order_of_the_model(person: Person) -> None:
    reply = person.says("show customers_by_country")
    assert reply.facts["rows"] == [["Denmark", 134], ["Sweden", 66]]
    assert reply.facts["total_rows"] == 2
    assert "Denmark        134" in drawing.text(reply)


def test_dead_tells_causes_and_lines_and_replay_tries_again(person: Person) -> None:
    reply = person.says("dead customers")
    assert reply.text.startswith("1 row of 201 (0.5 %) of customers was rejected")
    assert "Atlantis" not in json.dumps([drawing.full(reply), reply.facts])
    assert "202" in drawing.text(reply)
    assert person.says("dead strict").facts["total"] == 0
    again = person.says("replay customers")
    assert "a replay" in again.title
    assert again.exit_code == 0


def readings(atlas: Embedded) -> int:
    with atlas.home.database.read() as db:
        return len(
            list(audit.entries(db, who=None, action="report.read", about=None, since=None, before=None, limit=99))
        )


def test_the_gdpr_report_is_a_pdf_and_one_reading(person: Person, atlas: Embedded) -> None:
    for said in ("gdpr report", "gdpr report customers"):
        before = readings(atlas)
        reply = person.says(said)
        assert readings(atlas) == before + 1
        assert reply.attachments[0].kind == "pdf"
        assert reply.attachments[0].content.startswith(b"%PDF")


def test_what_has_ended_can_neither_be_cancelled_nor_retried(person: Person) -> None:
    number = person.says("status customers").facts["run"]
    for said in (f"cancel {number}", f"retry {number}", "cancel 9999", "status 9999"):
        assert person.says(said).exit_code == 1


def test_ctrl_c_cancels_the_run_that_is_waited_for(atlas: Embedded, tmp_path: Path) -> None:
    folder = atlas.home.settings.pipelines
    rows = "\n".join(f"{n},Anna Hansen lives in {n} Nørregade,a{n}@shop.example" for n in range(60_000))
    (folder / "large.csv").write_text(f"id,notes,email\n{rows}\n", encoding="utf-8")
    (folder / "large.yml").write_text("name: large\nowner: x\nsource: {connector: csv, path: large.csv}\n")

    async def interrupted() -> Reply:
        async with atlas.client() as http, Bot(http) as bot:
            asyncio.get_running_loop().call_later(0.5, bot.interrupt)
            return await bot.ask("run large")

    reply = asyncio.run(interrupted())
    (folder / "large.yml").unlink()
    assert reply.facts["state"] == "cancelled"
    assert reply.exit_code == 1
    assert [a.command for a in reply.actions] == [f"retry {reply.facts['run']}"]


def test_a_person_without_the_right_is_told_who_has_it(atlas: Embedded) -> None:
    reply = Person(atlas, "viewer").says("run customers")
    assert reply.exit_code == 1
    assert "operator" in reply.text
    assert "you are viewer" in reply.text


def test_help_shows_what_this_person_may_say(atlas: Embedded) -> None:
    viewer, admin = (drawing.text(Person(atlas, role).says("help")) for role in ("viewer", "admin"))
    assert "run PIPELINE [--full]" in admin
    assert "run PIPELINE [--full]" not in viewer
    assert "quality DATASET trend" in viewer
    assert Person(atlas, "viewer").says("whoami").facts["role"] == "viewer"


@pytest.mark.parametrize("skill", skills(), ids=lambda skill: skill.name)
def test_every_skill_asks_for_a_right_that_exists_and_has_help(person: Person, skill: object) -> None:
    known = set().union(*access.RIGHTS.values())
    assert skill.right is None or skill.right in known
    words = " ".join(skill.patterns[0].words)
    reply = person.says(f"help {words}")
    assert skill.help in reply.text
    assert reply.exit_code == 0


def test_names_that_could_leave_the_path_are_names_that_do_not_exist(person: Person) -> None:
    for said in ('quality ".."', 'show "../../x"', "pii a/b", "why ../me", "lineage ../x", 'run "a\tb"'):
        assert person.says(said).exit_code == 1


def test_what_is_no_token_is_told_without_repeating_it(person: Person) -> None:
    reply = person.says("reveal 010203-1234")
    assert (reply.ok, "no token" in reply.text, "010203" in reply.text) == (False, True, False)
