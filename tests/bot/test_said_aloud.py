"""What people of three roles type on Danish data, and what the answers say: each is read at 80 columns."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas.embedded import Embedded
from bot import drawing
from bot.grammar import Command, Missing, parse
from bot.main import Bot
from bot.reply import Reply
from bot.skill import skills
from docs.conversation import steady
from tests.bot import danish
from tests.bot.test_skills import Person

REMEDY = "Correct navigate/forkert.sql, then: run forkert"
LOST = "`ordrer` has no column `belob`. Did you mean `beløb`?"
UNKNOWN = "I did not understand that. Say help to see what you can say."
A_MODEL = "is a model: quality and personal data are measured in the datasets that it reads."
RUNS = ("run kunder", "run ordrer")  # said first, by the operator

# who says it, what, what the answer must say, what it must not
SAID: list[tuple[str, str, list[str], list[str]]] = [
    ("operator", "run kunder", ["Run #1 of kunder", "200 in, 200 out, 0 rejected", "waits for ordrer"], []),
    (
        "operator",
        "run ordrer",
        ["1 table, forkert was not built", f"Note: `forkert` was not built: {LOST} {REMEDY}"],
        ["was not built: forkert"],
    ),
    ("viewer", "whoami", ["You are viewer"], []),
    ("viewer", "help", ["columns DATASET|TABLE", "help COMMAND tells more"], ["run PIPELINE"]),
    ("viewer", "help quality", ["For example: `quality kunder`"], ["customers"]),
    ("viewer", "status", ["All 2 pipelines succeeded in their last run.", "1 alert is open."], ["All is well"]),
    ("viewer", "pipelines", ["2 pipelines."], []),
    ("viewer", "datasets", ["2 datasets and 1 table built on them.", "omsaetning_pr_by"], []),
    ("viewer", "runs", ["2 runs."], []),
    ("viewer", "runs kunder", ["1 run of kunder."], []),
    ("viewer", "runs forkert", ["No run of forkert yet."], ["Did you mean"]),
    ("viewer", "why kunder", ["kunder has "], []),
    ("viewer", "why forkert", [LOST, REMEDY, "It has no table yet."], ["quality forkert"]),
    ("viewer", "why paa_forkert", ["`paa_forkert` waits for `forkert`.", LOST, REMEDY], ["run paa_forkert"]),
    ("viewer", "why omsaetning_pr_by", ["was built in run #2 of ordrer (today ", "from `kunder` (version 1)"], []),
    (
        "viewer",
        "columns kunder",
        ["kunder has 7 columns and 200 rows", "names of persons, hashed", "11.0 %"],
        ["Køge", "butik"],
    ),
    ("viewer", "show kunder", ["it needs the role operator"], ["h_"]),
    ("viewer", "run kunder", ["it needs the role operator", "you are viewer"], []),
    ("viewer", "run forkert", ["it needs the role operator"], []),
    ("viewer", "pii kunder", ["it needs the role steward"], []),
    ("viewer", "dead kunder", ["it needs the role steward"], []),
    ("viewer", "gdpr report kunder", ["it needs the role dpo"], []),
    ("viewer", "alerts", ["1 alert is open.", "forkert could not be built"], ["sees to it", "depend on it"]),
    ("viewer", "alerts 1", [f"`forkert` was not built: {LOST} {REMEDY}"], ["if anything"]),
    ("viewer", "ack 1", ["it needs the role operator"], []),
    ("viewer", "schedules", ["No pipeline runs by itself."], []),
    ("viewer", "subscribe ordrer", ["You have subscribed to ordrer."], []),
    ("viewer", "subscribe forkert", ["is a model: alerts are about datasets"], []),
    ("viewer", "unsubscribe ordrer", ["You no longer get the alerts about ordrer."], []),
    ("viewer", "lineage forkert", ["is not built yet"], []),
    ("operator", "columns kunder", ["example", "2 of them hold personal data"], ["h_", "Søren", "10001", "@"]),
    ("operator", "describe omsaetning_pr_by", ["4 columns and 6 rows", "datetime", "number"], ["VARCHAR", "TIMESTAMP"]),
    ("operator", "schema ordrer", ["beløb", "decimal(18,2)", "DKK"], []),
    ("operator", "columns forkert", [LOST, REMEDY], []),
    ("operator", "columns kundr", ["There is no dataset or table `kundr`. Did you mean kunder?"], []),
    ("operator", "columns", ["Which dataset or table?", "kunder"], []),
    ("operator", "show kunder", ["the first 20:", "h_"], ["Søren", "@eksempel"]),
    ("operator", "show omsaetning_pr_by", ["Times are in Europe/Copenhagen.", "2026-11-28 "], []),
    ("operator", "show omsætning_pr_by", ["Did you mean omsaetning_pr_by?"], []),
    ("operator", "show forkert", [LOST, REMEDY], ["lineage"]),
    ("operator", "run forkert", [LOST, REMEDY], ["There is no pipeline"]),
    ("operator", "run paa_forkert", ["`paa_forkert` waits for `forkert`.", REMEDY], []),
    ("operator", "run omsaetning_pr_by", ["(builds the table)", "omsaetning_pr_by has 6 rows."], ["Explore", " in, "]),
    ("operator", "run omsaetning_pr_by --full", ["is a model: it reads no source"], []),
    ("operator", "retry 2", ["Run `#2` succeeded but for `forkert`"], ["nothing to retry"]),
    ("operator", "quality forkert", [A_MODEL], ["Did you mean"]),
    ("operator", "run kundre", ["There is no pipeline `kundre`. Did you mean kunder?"], []),
    ("operator", "schedule kunder '0 6 * * *'", ["kunder runs every day at 06:00"], ["minute"]),
    ("operator", 'schedule ordrer "*/1 * * * *"', ["ordrer runs every minute"], ["1 minutes"]),
    ("operator", "schedule forkert '0 6 * * *'", ["is a model: it is built after each run of what it reads"], []),
    ("operator", "schdule kunder '0 6 * * *'", ['Did you mean `schedule kunder "0 6 * * *"`?'], ["\"'"]),
    ("operator", "schedules", ["2 schedules."], []),
    ("operator", "unschedule ordrer", ["ordrer no longer runs by itself."], []),
    ("operator", "unschedule kunder", ["kunder no longer runs by itself."], []),
    ("operator", "cancel 1", ["cannot be cancelled: it has already succeeded"], []),
    ("operator", "cancel kunder", ["Give the number of the run, for example `cancel 12`."], ["is none"]),
    ("operator", "assign 1 viewer", ["`viewer` may not handle alerts about `ordrer`"], ["sees to it"]),
    ("operator", "snooze 1 2h", ["Snoozed until today "], ["Snoozed by"]),
    ("operator", "assign 1 me", ["Snoozed until today ", "Assigned to operator."], []),
    ("operator", "resolve 1", ["Resolved by operator today "], []),
    ("operator", "dead forkert", ["it needs the role steward"], []),
    ("steward", "dead kunder", ["No row of kunder was rejected in run #1."], []),
    ("steward", "pii kunder", ["2 of 7 columns of kunder hold personal data"], ["Søren"]),
    ("steward", "pii kunder.e_mail", ["holds e-mail addresses (", "It is hashed in 200 rows."], []),
    ("steward", "pii omsaetning_pr_by", [A_MODEL], ["run #"]),
    ("dpo", "reveal", ["Which token? For example: reveal t_"], ["There is none yet"]),
    ("dpo", "reveal 010203-1234", ["That is no token."], ["010203"]),
    ("viewer", "how good is kunder?", [UNKNOWN], ["Did you mean"]),
    ("viewer", "why did the run fail", ["I did not understand that. `why PIPELINE|RUN`"], ["Did you mean"]),
    ("operator", "stop run 2", [UNKNOWN], ["Did you mean"]),
    ("operator", "explain kunder", [UNKNOWN], ["replay"]),
    ("viewer", "who am i", [UNKNOWN], ["why"]),
    ("dpo", "slet kunde 10001", [UNKNOWN], ["alerts"]),
    ("viewer", "quit", [UNKNOWN], ["quality"]),
    ("operator", "show me the alerts", ["To see what that may have meant: alerts"], ["There are"]),
    ("viewer", "kvalitet kunder", [UNKNOWN], []),
    ("viewer", "qualty kunder", ["Did you mean `quality kunder`?"], []),
    ("viewer", "qualty kundr", ["Did you mean `quality DATASET`?"], ["kundr`?"]),
    ("operator", "run kunder now", ["`now` is too much here. Did you mean `run kunder`?"], []),
    ("dpo", "gdpr erase 10001", ["`gdpr` needs more words: `gdpr report [DATASET]`."], []),
]
NEVER = (
    r"\b1 (?!of)\w+s\b(?<!1 has)", r"\d\.\d{5,}", r"\d\dT\d\d:\d\d", r"of 1 rows", r"every 1 ", "Mind:", "Binder",
    "Catalog Error", "There is none yet", "Traceback", "bug in Atlas", "`None`", r"\bsees to it\b", "All is well",
)  # fmt: skip


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    made = danish.opened(tmp_path_factory.mktemp("shop"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def said(atlas: Embedded) -> dict[tuple[str, str], Reply]:
    """Every answer, all said in their order."""
    found: dict[tuple[str, str], Reply] = {}

    async def talk() -> None:
        people = {role: atlas.client(role) for role in dict.fromkeys(role for role, *_ in SAID)}
        for role, client in people.items():
            people[role] = await client.__aenter__()
        for role, line, *_ in SAID:
            async with Bot(people[role]) as bot:
                found[role, line] = await bot.ask(line)
        for client in people.values():
            await client.aclose()

    asyncio.run(talk())
    return found


@pytest.mark.parametrize(("role", "line", "must", "must_not"), SAID, ids=[f"{role}: {line}" for role, line, *_ in SAID])
def test_an_answer_says_what_it_should_and_nothing_else(
    said: dict[tuple[str, str], Reply], role: str, line: str, must: list[str], must_not: list[str]
) -> None:
    reply = said[role, line]
    table = drawing.table(reply.table, 80) if reply.table else ""
    told = "\n".join([reply.title, *(drawing.line(step) for step in reply.steps), reply.text, table])
    for part in must:
        assert part in told, told
    for part in must_not:
        assert part not in f"{told}\n{drawing.following(reply)}", told
    for pattern in NEVER:
        assert not re.search(pattern, told), (pattern, told)


def test_at_least_sixty_things_are_said_and_every_suggestion_can_be_said(
    said: dict[tuple[str, str], Reply], atlas: Embedded
) -> None:
    assert len(said) >= 60
    for (role, line), reply in said.items():
        for action in reply.actions:
            meant = parse(action.command, skills())
            assert isinstance(meant, Command | Missing), (role, line, action.command)


def test_no_line_of_a_table_is_wider_than_the_terminal_and_no_name_is_cut(
    said: dict[tuple[str, str], Reply],
) -> None:
    for (_, line), reply in said.items():
        if reply.table and line not in ("show kunder",):  # rows are as wide as they are
            drawn = drawing.table(reply.table, 80).splitlines()
            assert max(map(drawing.width, drawn)) <= 80, (line, drawn)
    drawn = drawing.table(said["viewer", "datasets"].table, 80)
    assert "omsaetning_pr_by " in drawn
    assert "kreditmaksimum i kroner" in drawn


def test_the_how_to_shows_what_is_said(said: dict[tuple[str, str], Reply]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "columns-and-models.md").read_text("utf-8")
    blocks = re.findall(r"<!-- conversation: .*? -->\n```\n(.*?)```\n", page, re.DOTALL)
    shown = [part.partition("\n") for block in blocks for part in block.split("> ")[1:]]
    assert len(shown) == 4
    for line, _, told in shown:
        found = next(reply for (role, other), reply in said.items() if other == line and role != "dpo")
        assert steady(told) == steady(f"{drawing.full(found)}\n"), line


def test_the_remedy_leads_out_of_a_model_that_cannot_be_built(atlas: Embedded) -> None:
    """Corrected as the answer says, it is built, and so is what reads it; the alert about it is over."""
    person = Person(atlas, "operator")
    (atlas.home.settings.pipelines / "navigate" / "forkert.sql").write_text(
        danish.FILES["navigate/forkert.sql"].replace("o.belob", 'o."beløb"'), "utf-8"
    )
    built = person.says("run forkert")
    assert built.exit_code == 0
    assert re.search("forkert has 2 rows, paa_forkert has 1 row", built.text)
    assert person.says("show forkert").facts["total_rows"] == 2
    assert person.says("alerts 1").text.splitlines()[-1].startswith(("Closed today", "Resolved by"))
    assert [a["title"] for a in person.says("alerts").facts["items"]] == []
