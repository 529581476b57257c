"""No value of the data reaches a channel, whatever skill is asked, on whatever platform, however it is said."""

from collections.abc import Iterator
from dataclasses import asdict, replace

import pytest

from bot import grammar
from bot.grammar import Command
from bot.skill import skills
from tests.attack.attempts import Attempts, Guard
from tests.attack.talks import BECAUSE, EMAIL, PERSON, SECOND, TYPED, WAYS, Talks, talks
from tests.program import wait_for

TOKEN = f"t_{'a' * 26}"  # stands for one that is in the data
# one line at least for each sentence of each skill; a new skill fails the first test until it has one
LINES = {
    "ack": ["ack 1"],
    "alerts": ["alerts", "alerts 1"],
    "assign": ["assign 1 @kim"],
    "cancel": ["cancel 1"],
    "columns": ["columns birds", "describe birds", "describe bird_rows", "schema birds", f"columns {TYPED}"],
    "datasets": ["datasets"],
    "dead": ["dead birds", "dead nothing"],
    "gdpr": ["gdpr report", "gdpr report birds"],
    "help": ["help", "help reveal"],
    "impact": ["impact birds.colour"],
    "lineage": ["lineage bird_rows", "lineage bird_most.last"],
    "link": ["link"],
    "pii": ["pii birds", "pii birds.country", "pii birds.name"],
    "pipelines": ["pipelines"],
    "quality": ["quality birds"],
    "trend": ["quality birds trend"],
    "replay": ["replay gulls"],
    "resolve": ["resolve 2"],
    "retry": ["retry 2"],
    "reveal": [f"reveal {TOKEN}", f"reveal {TOKEN} because {BECAUSE}", f"reveal {TOKEN}x", f"reveal {TOKEN} because",
               f"reveal {TOKEN} because of{TYPED}", f"reveal {TOKEN} please now", f"revael {TOKEN}"],
    "rule": [f"pii birds.name is PERSON because {BECAUSE}", f"pii birds.country is not pii because {BECAUSE}",
             "pii birds.name is PERSON", f"pii birds.nothing is CPR because {BECAUSE}"],
    "run": ["run crows"],
    "runs": ["runs", "runs birds"],
    "schedule": ['schedule birds "0 6 * * *"'],
    "schedules": ["schedules"],
    "show": ["show bird_rows", "show birds", "show bird_most", "show bird_sums", f"show {TYPED}"],
    "snooze": ["snooze 1 2h"],
    "status": ["status", "status birds", "status gulls", "status crows"],
    "subscribe": ["subscribe birds"],
    "unschedule": ["unschedule birds"],
    "unsubscribe": ["unsubscribe birds"],
    "whoami": ["whoami"],
    "why": ["why birds", "why crows", "why gulls"],
}  # fmt: skip
# what the person gets alone, so that the tests look where something is to be seen
ALONE = {"dead": "rejected", "columns": "plain", "show": "plain", "reveal": "email", "pii": "because",
         "rule": "because"}  # fmt: skip
GUARDS = [
    Guard("bot/skills/dead.py", 'next=[f"replay {pipeline}", f"why {pipeline}"],\n        holds="rows"',
          'next=[f"replay {pipeline}", f"why {pipeline}"],\n        holds="counts"',
          "test_channels.py::test_no_skill_shows_a_value_in_a_channel"),
    Guard("bot/problems.py", 'facts={"code": problem.code}, holds=_shown(problem, command)', 'facts={}, holds="counts"',
          "test_channels.py::test_a_strange_word_in_any_place_of_any_command_is_repeated_to_nobody_else"),
    Guard("bot/skills/rule.py", 'facts(dataset, found)}, holds="rows")', "facts(dataset, found)})",
          "test_channels.py::test_a_ruling_that_masks_at_once_tells_its_reason_to_the_person_alone"),
    Guard("bot/reply.py", 'understood=False, holds="subjects")', 'understood=False, holds="counts")',
          "test_channels.py::test_what_nobody_understands_is_repeated_to_nobody_else"),
    Guard("bot/audience.py", "HOLDS.index(reply.holds) <= HOLDS.index(most)", "True",
          "test_channels.py::test_no_skill_shows_a_value_in_a_channel"),
]  # fmt: skip


# half a command, with what somebody types of a person
NAME = "Kirstine Ravnsborg"
MISREAD = [
    f'"{NAME} 0707" status', "k.ravnsborg@canary.example alerts", f"status birds {NAME}",
    f"replay birds because {NAME}",
    f'help "{NAME}"', f"help {NAME}", f"hello {NAME}", f'stauts "{NAME}"', f'assign 1 @"{NAME}"', f'assign "{NAME}"',
    f'run "{NAME}"', f"snooze 1 {NAME}", f"schedule birds {NAME}", f'schedule birds "{NAME} * * *"',
    "status 0707851234",
    f'birds --"{NAME}" status', f"status --{EMAIL}",
]  # fmt: skip
# `make test` says everything in these two ways, and the smaller tests below in all; `make test-long` and
# `make test-attack` say everything in all
SHORT = ("a command where the bot is no member", "a mention in a channel of Teams")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talks]:
    with talks(tmp_path_factory.mktemp("talks")) as opened:
        yield opened


def test_every_sentence_of_every_skill_is_said() -> None:
    known = skills()
    said = {id(c.pattern) for lines in LINES.values() for line in lines
            if isinstance(c := grammar.parse(line, known), Command)}  # fmt: skip
    assert {skill.name for skill in known} == LINES.keys()
    assert [p.usage for skill in known for p in skill.patterns if id(p) not in said] == []


@pytest.mark.parametrize("way", [pytest.param(way, marks=[] if way in SHORT else pytest.mark.long) for way in WAYS])
def test_no_skill_shows_a_value_in_a_channel(way: str, office: Talks, attempts: Attempts) -> None:
    for skill, lines in LINES.items():
        office.forget()
        for line in lines:
            WAYS[way](office, line.replace(TOKEN, office.canaries["token"]))
        channel, alone = office.said()
        for kind, canary in office.canaries.items():
            attempts.tried("channels", f"{skill} by {way}: {kind}", held=canary not in channel)
        if skill in ALONE:
            assert office.canaries[ALONE[skill]] in alone, skill


def test_a_record_of_processing_is_sent_to_the_person_alone(office: Talks) -> None:
    for way in WAYS:
        office.forget()
        WAYS[way](office, "gdpr report")
        channel, alone = office.said()
        assert "gdpr-report" not in channel
        assert "GDPR report" in alone


@pytest.mark.parametrize("line", ["describe birds", "show birds"])
def test_columns_and_rows_are_sent_to_the_person_alone(line: str, office: Talks, attempts: Attempts) -> None:
    for way in WAYS:
        office.forget()
        WAYS[way](office, line)
        channel, alone = office.said()
        for kind, canary in office.canaries.items():
            attempts.tried("channels", f"{line} by {way}: {kind}", held=canary not in channel)
        assert office.canaries["plain"] in alone, way
        assert [value for value in (PERSON, SECOND, EMAIL) if value in alone] == [], way  # masked even there


def test_what_nobody_understands_is_repeated_to_nobody_else(office: Talks, attempts: Attempts) -> None:
    for way, say in WAYS.items():
        for line in (f"{TYPED} is what", f"qqq {TYPED}", TYPED):
            office.forget()
            say(office, line)
            channel, alone = office.said()
            attempts.tried("channels", f"{line} by {way}", held=TYPED not in channel)
            assert "I did not understand that" in alone


def test_what_was_half_understood_is_repeated_to_nobody_else(office: Talks, attempts: Attempts) -> None:
    for line in MISREAD:
        office.forget()
        WAYS["a command in a channel of Slack"](office, line)
        channel = office.said()[0].casefold()
        held = not any(typed in channel for typed in ("kirstine", "ravnsborg", "707851234"))
        attempts.tried("channels", f"half understood: {line}", held=held)


def test_a_strange_word_in_any_place_of_any_command_is_repeated_to_nobody_else(
    office: Talks, attempts: Attempts
) -> None:
    known = skills()
    for line in dict.fromkeys(line for said in LINES.values() for line in said):
        command = grammar.parse(line, known)
        if not isinstance(command, Command) or "because" in command.values:  # a reason is kept, and told as `rows`
            continue
        strange = [f'"{NAME}" {command.line}', f'{command.line} "{NAME}"', f"{command.line} --{TYPED}"]
        strange += [
            command.said(**{slot.name: name})
            for slot in command.pattern.slots
            for name in (NAME, f"birds.{NAME}", TYPED)
        ]
        for typed in dict.fromkeys(strange):
            shown = [asdict(replace(r, facts={})) for r in office.replies(typed) if r.holds != "subjects"]
            told = repr(shown).casefold()
            held = NAME.casefold() not in told and TYPED not in told
            attempts.tried("channels", f"a strange word: {typed}", held=held)


def test_a_code_is_shown_to_its_person_alone(office: Talks, attempts: Attempts) -> None:
    office.forget()
    office.slack_message(office.slack.command("link", user="U0STRANGER"))
    channel, alone = office.said()
    attempts.tried("channels", "the code of a stranger", held="atlas link" not in channel)
    assert "atlas link" in alone


def test_what_is_posted_by_itself_holds_no_value(office: Talks, attempts: Attempts) -> None:
    office.office.teams.messages.clear()
    office.forget()
    for name in ("crows", "terns", "gulls"):
        office.run(f"run {name}")
    assert wait_for(lambda: "Alert #" in office.said()[0] and any(office.teams.messages), 30)
    channel, _ = office.said()
    for kind, canary in office.canaries.items():
        attempts.tried("channels", f"an alert by itself: {kind}", held=canary not in channel)


def test_a_ruling_that_masks_at_once_tells_its_reason_to_the_person_alone(office: Talks, attempts: Attempts) -> None:
    """The last test here: it hides what the others look for."""
    office.forget()
    WAYS["a mention in a channel of Slack"](office, f"pii birds.colour is USERNAME because {BECAUSE}")
    channel, alone = office.said()
    for kind, canary in office.canaries.items():
        attempts.tried("channels", f"a ruling that masks at once: {kind}", held=canary not in channel)
    assert BECAUSE in alone
