"""A person rules in the chat: what holds now, whether it is masked, who ruled, and how it is shown afterwards."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas.embedded import Embedded
from bot import drawing, grammar
from bot.grammar import Command
from bot.skill import skills
from core.settings import load
from engine.store import access
from tests.bot.test_skills import Person
from tests.test_rulings import NAMES, prepared


@pytest.fixture
def atlas(tmp_path: Path) -> Iterator[Embedded]:
    pipelines = tmp_path / "pipelines"
    (pipelines / "navigate").mkdir(parents=True)
    settings = load({"ATLAS_HOME": str(tmp_path / "home"), "ATLAS_PIPELINES": str(pipelines)})
    prepared(settings)
    opened = Embedded(settings)
    with opened.home.database.write() as db:
        for role in access.ROLES:
            access.add_user(db, role, role)
    assert Person(opened).says("run people").ok
    yield opened
    opened.close()


def test_a_ruling_that_hides_is_followed_to_its_end(atlas: Embedded) -> None:
    anna = Person(atlas, "steward")
    reply = anna.says("pii People.who is a person because callers' names stand here")
    assert reply.ok, reply.text
    assert reply.title.endswith("of people (masks what is published)")
    lines = reply.text.splitlines()
    assert lines[0] == (
        "people.who holds names of persons, ruled by steward: callers' names stand here. "
        "It is hashed, in what was published too."
    )
    assert "40 published rows masked anew" in lines[1]
    assert "Changed: `who` was not personal, kept; now it is names, hashed." in reply.text
    assert [step.name for step in reply.steps] == ["Chart", "Navigate"]
    column = reply.facts["columns"][0]
    assert (column["column"], column["types"], column["action"]) == ("who", ["PERSON"], "hash")
    assert (column["ruling"]["by"], column["ruling"]["type"]) == ("steward", "PERSON")
    assert any(update.going for update in anna.updates)
    shown = Person(atlas).says("show by_who")
    assert all(row[0].startswith("h_") for row in shown.facts["rows"])
    assert not any(name in json.dumps([drawing.full(reply), reply.facts]) for name in NAMES)


def test_what_was_ruled_is_shown_with_the_dataset_and_the_column(atlas: Embedded) -> None:
    person = Person(atlas)
    person.says("pii people.who is PERSON because they call here")
    whole, one = person.says("pii people"), person.says("pii people.who")
    assert "who is ruled PERSON by " in whole.text
    assert "they call here" in whole.text
    assert "ruled PERSON by" in one.text
    assert "Wrong? Say: pii people.who is not pii because …" in one.text
    assert one.facts["columns"][0]["ruling"]["because"] == "they call here"


def test_that_it_is_not_personal_holds_from_the_next_run_and_the_answer_says_so(atlas: Embedded) -> None:
    person = Person(atlas, "admin")
    person.says("pii people.who is PERSON")
    reply = person.says("pii people.who is not pii because these are call signs.")
    assert reply.text == (
        "people.who holds no personal data, ruled by admin: these are call signs. It is kept as it is in new rows; "
        "what is published stays as it is. For all rows now: run people --full."
    )
    assert reply.actions[0].command == "run people --full"
    assert "is ruled not personal by admin" in person.says("pii people.who").text
    assert "This holds from the next run." in person.says("pii people.who").text
    assert person.says("run people --full").ok
    assert person.says("show by_who").facts["rows"][0][0] == NAMES[0]
    assert person.says("pii people.who").text.startswith("people.who is not personal: ruled not personal by admin on ")


def test_what_is_hashed_already_needs_no_run(atlas: Embedded) -> None:
    person = Person(atlas)
    first = person.says("pii people.who is PERSON")
    again = person.says("pii people.who is PERSON")
    assert again.text.endswith("It is hashed already.")
    assert person.says("runs people").facts["items"][0]["run"] == first.facts["run"]


@pytest.mark.parametrize(
    ("said", "told", "button"),
    [
        ("pii people.whoo is PERSON", "people has no column whoo. Did you mean who?", None),
        ("pii people.who is PERSN", "There is no type PERSN. Did you mean PERSON?", "pii people.who is PERSON"),
        ("pii peple.who is PERSON", "There is no dataset peple that has been published.", None),
        ("pii people is PERSON", "Say which column: pii people.COLUMN is …", "pii people"),
        (
            "pii people.who is not pii because",
            "Say the rest, too: pii people.who is not pii because … For example: ",
            None,
        ),
        ("pii people.who is not pii", "pii DATASET.COLUMN is not pii because REASON…", None),
        ("pii people.who is", "Which type? PERSON, EMAIL, PHONE", "pii people.who is PERSON"),
    ],
)
def test_a_half_or_wrong_ruling_is_helped_on(atlas: Embedded, said: str, told: str, button: str | None) -> None:
    reply = Person(atlas).says(said)
    assert not reply.ok
    assert told in reply.text.replace("`", "")
    if button:
        assert button in [action.command for action in reply.actions]


def test_who_may_not_rule_is_told_who_may(atlas: Embedded) -> None:
    reply = Person(atlas, "operator").says("pii people.who is PERSON")
    assert reply.exit_code == 1
    assert "steward or dpo or admin" in reply.text
    assert "pii DATASET.COLUMN is TYPE" not in drawing.full(Person(atlas, "operator").says("help"))
    assert "pii DATASET.COLUMN is TYPE" in drawing.full(Person(atlas, "steward").says("help"))


@pytest.mark.parametrize(
    ("line", "column", "type_", "because"),
    [
        ("pii customers.f3 is CPR", "customers.f3", "CPR", None),
        ("PII customers.F3 IS cpr", "customers.F3", "cpr", None),
        ('pii "customers.full name" is PERSON', "customers.full name", "PERSON", None),
        ("pii customers.f3 is not pii because it's “codes”", "customers.f3", None, "it's “codes”"),
        ("pii customers.f3 is CPR because of 9 checks", "customers.f3", "CPR", "of 9 checks"),
    ],
)
def test_the_sentences_are_understood(line: str, column: str, type_: str | None, because: str | None) -> None:
    command = grammar.parse(line, skills())
    assert isinstance(command, Command)
    values = command.values
    assert (command.skill.name, values["column"], values.get("type"), values.get("because")) == (
        "rule", column, type_, because
    )  # fmt: skip
