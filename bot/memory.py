"""The memory of a talk: what each person was asked or offered last, which tells what their next line means."""

from bot import grammar
from bot.grammar import Command, Missing
from bot.reply import Reply
from bot.skill import skills

Who = tuple[str, str]  # the platform and the id of a person there

YES = frozenset(("yes", "y", "yes please", "ja", "ok"))


class Memory:
    """Holds a question or an offer until the person's next line."""

    def __init__(self) -> None:
        self._asked: dict[Who, str] = {}  # commands that lack their end, by the person who was asked for it
        self._offered: dict[Who, str] = {}  # suggestions made with "did you mean …?", by person

    def asked_for_the_rest(self, who: Who, beginning: str) -> None:
        self._asked[who] = beginning

    def offered(self, who: Who, command: str) -> None:
        self._offered[who] = command

    def meant(self, line: str, who: Who) -> Command | Missing | Reply | None:
        """The line as a command, with what was said just before in mind."""
        asked, offered = self._asked.pop(who, None), self._offered.pop(who, None)
        if offered and line.strip().rstrip(".!").casefold() in YES:
            return grammar.parse(offered, skills())
        meant = grammar.parse(line, skills())
        if asked and isinstance(meant, Reply) and not meant.understood:
            completed = grammar.parse(f"{asked} {line}", skills())
            if isinstance(completed, Command):
                return completed
        return meant
