"""What a skill is: a sentence in, a Reply out. One file in `bot/skills/`, one thing people can say."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from bot.reply import Holds, Reply

SHOWN = {
    "node": "NAME[.COLUMN]",
    "subject": "PIPELINE|RUN",
    "topic": "COMMAND",
    "column": "DATASET.COLUMN",
    "because": "REASON",
    "table": "DATASET|TABLE",
    "model": "TABLE|DATASET",
    "user": "@USER",
}  # how help shows a slot

Function = Callable[..., Awaitable[Reply] | AsyncIterator[Reply]]


@dataclass(frozen=True)
class Word:
    """A word of a command that is written as it stands."""

    text: str


@dataclass(frozen=True)
class Slot:
    """A place for a name or number; `rest` takes everything to the end of the line."""

    name: str
    optional: bool = False
    rest: bool = False

    def __str__(self) -> str:
        shown = SHOWN.get(self.name, self.name.upper().replace("_", " ")) + ("…" if self.rest else "")
        return f"[{shown}]" if self.optional else shown


@dataclass(frozen=True)
class Flag:
    """An option, `--full`; it may stand anywhere after the first word."""

    name: str


class Pattern:
    """A sentence people can say: `run {pipeline} [--full]`, `status [{subject}]`, `deny {request} {reason...}`."""

    def __init__(self, text: str) -> None:
        parts = [_part(word, text) for word in text.split()]
        self.parts = [part for part in parts if not isinstance(part, Flag)]
        self.flags = {part.name for part in parts if isinstance(part, Flag)}
        self.words = [part.text for part in self.parts if isinstance(part, Word)]
        self.slots = [part for part in self.parts if isinstance(part, Slot)]
        if not self.parts or not isinstance(self.parts[0], Word):
            raise ValueError(f"The sentence `{text}` must begin with a word.")

    @property
    def usage(self) -> str:
        """As help shows it: `run PIPELINE [--full]`."""
        shown = [part.text if isinstance(part, Word) else str(part) for part in self.parts]
        return " ".join([*shown, *(f"[--{flag}]" for flag in sorted(self.flags))])


def _part(word: str, text: str) -> Word | Slot | Flag:
    if found := re.fullmatch(r"\[--([a-z]+)\]", word):
        return Flag(found[1])
    if found := re.fullmatch(r"(\[?)\{([a-z_]+)(\.\.\.)?\}(\]?)", word):
        if bool(found[1]) != bool(found[4]):
            raise ValueError(f"`{word}` in the sentence `{text}` opens or closes only once.")
        return Slot(found[2], optional=bool(found[1]), rest=bool(found[3]))
    if re.fullmatch(r"[a-z]+", word):
        return Word(word)
    raise ValueError(f"`{word}` in the sentence `{text}` is neither a word, nor {{name}}, nor [--option].")


@dataclass(frozen=True)
class Skill:
    """One thing people can say, with the sentences that say it."""

    name: str
    patterns: tuple[Pattern, ...]
    function: Function
    right: str | None
    help: str
    example: str
    holds: Holds
    states: tuple[str, ...] = ()

    async def answer(self, atlas: Any, values: dict[str, Any]) -> AsyncIterator[Reply]:
        """The replies one after the other: progress, then the answer."""
        result = self.function(atlas, **values)
        if isinstance(result, AsyncIterator):
            async for reply in result:
                yield reply
        else:
            yield await result


def skill(
    *sentences: str, right: str | None, help: str, example: str, holds: Holds, states: tuple[str, ...] = ()
) -> Callable[[Function], Function]:
    """Makes a function a skill. What stands in braces comes in as arguments of that name.

    `right` is what the API asks of the caller, so that help shows people what they may say; the API decides. `holds`
    is the most that its answers show; an error of it is shown to nobody else, because it may quote what was asked for.
    `states` are those of the runs that it is for: these are offered to who does not say which run.
    """

    def decorate(function: Function) -> Function:
        patterns = tuple(Pattern(sentence) for sentence in sentences)
        known = set(inspect.signature(function).parameters)
        for pattern in patterns:
            if missing := ({slot.name for slot in pattern.slots} | pattern.flags) - known:
                raise TypeError(f"`{function.__name__}` takes no {', '.join(sorted(missing))}: `{pattern.usage}` does.")
        named = Skill(function.__name__.rstrip("_"), patterns, function, right, help, example, holds, states)
        function.__atlas_skill__ = named  # type: ignore[attr-defined]  # a mark on a function
        return function

    return decorate


@cache
def skills() -> tuple[Skill, ...]:
    """Every skill of the folder `bot/skills/`, in alphabetical order of their files."""
    folder = importlib.import_module("bot.skills")
    found: list[Skill] = []
    for entry in sorted(pkgutil.iter_modules(folder.__path__), key=lambda entry: entry.name):
        if not entry.name.startswith("_"):
            module = importlib.import_module(f"bot.skills.{entry.name}")
            marked = [getattr(value, "__atlas_skill__", None) for value in vars(module).values()]
            mine = [s for s in marked if isinstance(s, Skill) and s.function.__module__ == module.__name__]
            if not mine:
                raise TypeError(f"`{module.__name__}` has no function marked with @skill.")
            found += mine
    return tuple(found)
