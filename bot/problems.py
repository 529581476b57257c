"""Problems as answers: what happened, and what would work."""

import logging
import secrets
import traceback

from bot import grammar
from bot.client import AtlasProblem
from bot.grammar import Command
from bot.reply import Holds, Reply
from bot.skill import skills
from bot.words import sentence

log = logging.getLogger("atlas.bot")

# statuses that say nothing of names: Atlas is out of reach, or the thing named exists
SAYS_NO_MORE = (0, 401, 409, 429)
# slots of what Atlas knows by name
NAMES = frozenset(("pipeline", "dataset", "subject", "model", "table", "run", "alert"))


def as_reply(problem: AtlasProblem, command: Command) -> Reply:
    """A problem as an answer: what happened, what would work, and that as a button."""
    text, buttons = sentence(problem.message), []
    wrong = next(
        (slot.name for slot in command.pattern.slots if f"`{command.values.get(slot.name)}`" in problem.message),
        None,
    )
    if wrong and problem.nearest:
        buttons = [command.said(**{wrong: name}) for name in problem.nearest]
    hint = problem.hint
    if wrong and not buttons and (other := _command_of(str(command.values[wrong]))):
        buttons, hint = [other], f"To see what that may have meant: {other}"
    elif hint:
        said = grammar.parse(hint.partition(": ")[2] or hint, skills())
        if isinstance(said, Command) and not buttons:
            buttons = [said.line]
            hint = None if hint in (said.line, f"Say: {said.line}") else hint
    if hint:
        text += f" {hint}"
    return Reply(text, ok=False, next=buttons, facts={"code": problem.code}, holds=_shown(problem, command))


def about_a_person(problem: AtlasProblem) -> Reply:
    """Why it cannot be said who somebody is."""
    told = " ".join(filter(None, [sentence(problem.message), problem.hint]))
    return Reply(told, ok=False, holds="counts")


def bug(error: Exception, command: Command) -> Reply:
    """A bug as an answer, under a reference by which the log has its place in the code."""
    reference = secrets.token_hex(4)
    frames = "".join(traceback.format_tb(error.__traceback__))  # no message: it may quote somebody's data
    log.error("bug %s in `%s`: %s\n%s", reference, command.skill.name, type(error).__name__, frames)
    return Reply(
        f"A bug in Atlas kept `{command.skill.name}` from answering: {type(error).__name__}, reference {reference}.",
        ok=False,
        holds=command.skill.holds,
    )


def _shown(problem: AtlasProblem, command: Command) -> Holds:
    """Whose answer a problem is: only one of what is known by its name says nothing that somebody may have typed."""
    known = problem.status in SAYS_NO_MORE or problem.status >= 500
    named = all(slot.name in NAMES for slot in command.pattern.slots if slot.name in command.values)
    return command.skill.holds if known and named else "subjects"


def _command_of(word: str) -> str | None:
    """A word that is a whole command: `show me the alerts`."""
    sayable = (pattern for skill in skills() for pattern in skill.patterns if not pattern.slots)
    return next((pattern.usage for pattern in sayable if pattern.usage == word), None)
