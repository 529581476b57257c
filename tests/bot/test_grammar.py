"""What people type, and what Atlas takes it for."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.grammar import Command, Missing, parse
from bot.reply import Reply
from bot.skill import Pattern, Word, skills
from bot.typed import LONGEST


def meant(line: str) -> str:
    """The command a line is taken for."""
    found = parse(line, skills())
    assert isinstance(found, Command), found
    return found.line


def answered(line: str) -> Reply:
    found = parse(line, skills())
    assert isinstance(found, Reply), found
    return found


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("run customers", "run customers"),
        ("  RUN   Customers  ", "run customers"),
        ("run customers --full", "run customers --full"),
        ("run --full customers", "run customers --full"),
        ("run customers —full", "run customers --full"),
        ("run customers.", "run customers"),
        ("please run the customers pipeline!", "run customers"),
        ("Could you run customers please?", "run customers"),
        ("cancel #12", "cancel 12"),
        ("cancel run 12", "cancel 12"),
        ("status #0012", "status 12"),
        ("status of run #12", "status 12"),
        ("why 12", "why 12"),
        ("status", "status"),
        ("quality of customers", "quality customers"),
        ("quality customers trend", "quality customers trend"),
        ("quality trend", "quality trend"),
        ("show me revenue_by_country", "show revenue_by_country"),
        ("show navigate.revenue_by_country", "show revenue_by_country"),
        ("lineage revenue_by_country.revenue", "lineage revenue_by_country.revenue"),
        ('lineage orders."ship date"', 'lineage "orders.ship date"'),
        ("lineage orders.“ship date”", 'lineage "orders.ship date"'),
        ("gdpr report", "gdpr report"),
        ("GDPR Report customers", "gdpr report customers"),
        ("/atlas whoami", "whoami"),
        ("@atlas whoami", "whoami"),
        ("<@U012AB> run customers", "run customers"),
        ("<at>Atlas</at>&nbsp;run customers", "run customers"),
        ("hey Atlas, run customers", "run customers"),
        ("lineage <http://orders.total|orders.total>", "lineage orders.total"),
        ("run <mailto:a@b.example|a@b.example>", "run a@b.example"),
        ("`run customers`", "run customers"),
        ("run `customers`", "run customers"),
        ("run\u00a0custom\u200bers", "run customers"),
        ("run\x00customers\r\n", "run customers"),
        ("help", "help"),
        ("hello", "help"),
        ("?", "help"),
        ("help quality", "help quality"),
    ],
)
def test_a_line_is_taken_for_a_command(typed: str, command: str) -> None:
    assert meant(typed) == command


@pytest.mark.parametrize(
    ("typed", "suggestion"),
    [
        ("qualty customers", "quality customers"),
        ("rnu customers", "run customers"),
        ("quality customers trnd", "quality customers trend"),
        ("gdpr rport", "gdpr report"),
        ("sho revenue", "show revenue"),
        ("run customers --ful", "run customers --full"),
        ("run customers now", "run customers"),
        ("what is the quality of customers?", "quality customers"),
        ("impct", "impact"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_command_as_a_button(typed: str, suggestion: str) -> None:
    reply = answered(typed)
    assert "Did you mean" in reply.text
    assert [action.command for action in reply.actions] == [suggestion]
    assert reply.exit_code == 2


def test_a_command_that_cannot_be_said_with_these_words_is_not_suggested() -> None:
    assert [action.command for action in answered("slet anna@mail.example").actions] == ["help"]
    assert [action.command for action in answered("alrt 12").actions] == ["alerts 12"]


def test_the_answer_to_a_typo_names_what_was_typed() -> None:
    assert answered("qualty customers").text == "There is no command `qualty`. Did you mean `quality customers`?"


@pytest.mark.parametrize("typed", ["foo", "customers", "🙂", "<script>alert(1)</script>", "1; drop table run", "“"])
def test_what_is_no_command_is_answered_with_help(typed: str) -> None:
    reply = answered(typed)
    assert reply.exit_code == 2
    assert [action.command for action in reply.actions] == ["help"]


@pytest.mark.parametrize(
    ("typed", "slot"),
    [("run", "pipeline"), ("show", "model"), ("cancel", "run"), ("why", "subject"), ("quality", "dataset"),
     ("RUN --full", "pipeline"), ("lineage", "node")],
)  # fmt: skip
def test_half_a_command_lacks_its_missing_part(typed: str, slot: str) -> None:
    found = parse(typed, skills())
    assert isinstance(found, Missing)
    assert found.slot.name == slot


def test_a_beginning_with_several_ends_tells_them() -> None:
    reply = answered("gdpr erase customer=5")
    assert "gdpr report" in reply.text
    assert reply.exit_code == 2


@pytest.mark.parametrize("line", ["status 0", "cancel #0", "why 99999999999", "ack 0"])
def test_a_number_that_nothing_can_have_is_told_as_such(line: str) -> None:
    told = answered(line)
    assert told.text.startswith("There is no ")
    assert told.exit_code == 1


def test_a_run_that_is_no_number_is_told_so() -> None:
    assert answered("cancel abc").text == (
        "Give the number of the run, for example `cancel 12`. `abc` is not a number."
    )


@pytest.mark.parametrize(
    "said",
    ["how good is customers?", "stop run 31", "explain kunder", "who am i", "who can see cpr?", "slet kunde 10001",
     "quit", "kør kunder", "vis kunder", "hvorfor"],
)  # fmt: skip
def test_what_is_not_understood_is_not_guessed(said: str) -> None:
    reply = answered(said)
    assert reply.text == "I did not understand that. Say help to see what you can say."
    assert [action.command for action in reply.actions] == ["help"]


def test_a_command_with_much_else_is_told_what_it_takes() -> None:
    reply = answered("why did the run fail")
    assert reply.text.startswith("I did not understand that. `why PIPELINE|RUN`: ")
    assert [action.command for action in reply.actions] == ["help why"]


def test_single_quotes_quote_and_apostrophes_do_not() -> None:
    assert meant("schedule orders '0 6 * * *'") == 'schedule orders "0 6 * * *"'
    command = parse("pii kunder.navn is not pii because it's 'only' a shop", skills())
    assert isinstance(command, Command)
    assert command.values["because"] == "it's 'only' a shop"


@pytest.mark.parametrize("typed", ["", "   ", "\n", "\x00", "\u200b", '""', "."])
def test_nothing_said_is_nothing_or_not_understood(typed: str) -> None:
    found = parse(typed, skills())
    assert found is None or (isinstance(found, Reply) and not found.understood)


def test_a_message_may_be_only_so_long() -> None:
    reply = answered("run " + "x" * 40_000)
    assert "4,000" in reply.text
    assert len(reply.text) < 200


def test_a_long_word_is_not_repeated_in_full() -> None:
    assert len(answered("y" * LONGEST).text) < 200


@settings(deadline=None)
@given(st.text(max_size=300) | st.text(alphabet='run customers"“<@|>`—-#.12\x00\u202e\u200b\ud800', max_size=200))
@example("<" * 3000)
@example('"' * 3001)
@example("-- " * 1000)
@example("please " * 500)
@example("hey atlas " * 300)
@example("<@U1|" * 600)
def test_any_text_is_a_command_a_question_or_an_answer(line: str) -> None:
    found = parse(line, skills())
    if isinstance(found, Reply):
        assert not found.understood
        assert found.text
    elif isinstance(found, Command):
        assert parse(found.line, skills()) is not None


@settings(deadline=None)
@given(st.sampled_from([p for s in skills() for p in s.patterns]), st.text("abcdefgh_", min_size=1, max_size=12))
def test_every_sentence_is_understood_as_help_writes_it(pattern: Pattern, name: str) -> None:
    name = f"{name}_x"  # not one of the words that are skipped
    said = [p.text if isinstance(p, Word) else "12" if p.name in ("run", "alert") else name for p in pattern.parts]
    found = parse(" ".join(said), skills())
    assert isinstance(found, Command)
    assert found.pattern is pattern


def test_every_skill_has_an_example_that_is_understood() -> None:
    for skill in skills():
        found = parse(skill.example, skills())
        assert isinstance(found, Command)
        assert found.skill is skill


@pytest.mark.parametrize("sentence", ["{pipeline} run", "run {pipeline", "run [{pipeline}", "Run {pipeline}"])
def test_a_sentence_with_a_mistake_is_refused(sentence: str) -> None:
    with pytest.raises(ValueError, match="sentence"):
        Pattern(sentence)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("reveal t_75zxml4nsoplhl55ovweuoxjjm because anmodning om indsigt, sag 2026-114.",
         "anmodning om indsigt, sag 2026-114."),
        ('reveal t_75zxml4nsoplhl55ovweuoxjjm BECAUSE  she said: "now", please!', 'she said: "now", please!'),
        ("atlas, please reveal t_75zxml4nsoplhl55ovweuoxjjm because `a`  b …", "`a`  b …"),
        ("reveal t_75zxml4nsoplhl55ovweuoxjjm because “x” &amp; &lt;y&gt;", "“x” & <y>"),
        ("reveal t_75zxml4nsoplhl55ovweuoxjjm because of --full", "of --full"),
    ],
)  # fmt: skip
def test_a_reason_is_kept_to_the_letter(said: str, kept: str) -> None:
    command = parse(said, skills())
    assert isinstance(command, Command)
    assert command.values["because"] == kept
